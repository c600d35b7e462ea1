"""The API's Deployment and what stands around it."""

import base64

import pytest

from tests.chart.render import Refused, of_kind, pick, render

POLICY = "NetworkPolicy"


def api(values=None, *profiles):
    return render(values, *profiles, only="api")


def container(objects):
    return pick(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]


def environment(objects):
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container(objects)["env"]}


def test_rollout_removes_no_pod_before_replacement_is_ready():
    spec = pick(api(), "Deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert spec["strategy"]["rollingUpdate"]["maxSurge"] == 1


def test_probes_request_paths_that_api_serves():
    result = container(api())
    assert (
        result["startupProbe"]["httpGet"]
        == result["livenessProbe"]["httpGet"]
        == {"path": "/health/live", "port": "http"}
    )
    assert result["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert result["ports"] == [{"name": "http", "containerPort": 8000}]


def test_termination_grace_period_covers_pre_stop_pause_and_drain():
    from millrace.api.serve import DRAIN_TIMEOUT_S

    spec = pick(api(), "Deployment")["spec"]["template"]["spec"]
    pause = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert spec["terminationGracePeriodSeconds"] >= pause + DRAIN_TIMEOUT_S


def test_pod_meets_restricted_standard_and_mounts_no_token():
    spec = pick(api(), "Deployment")["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert pick(api(), "ServiceAccount")["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(api())["securityContext"]["readOnlyRootFilesystem"] is True
    assert container(api())["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["volumes"][0] == {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}


def test_pod_has_registry_and_own_kafka_user_but_no_catalog_access():
    variables = environment(api())
    assert variables["MILLRACE_MODELS_BUCKET"] == "millrace-models"
    assert variables["MILLRACE_VERSION_BUDGET"] == "256000000"
    assert variables["MILLRACE_API_HOST"] == "0.0.0.0"
    assert variables["MILLRACE_API_WORKERS"] == "1"
    assert variables["MILLRACE_API_LIVE"] == "true"
    assert variables["MILLRACE_KAFKA_USERNAME"] == "millrace-api"
    assert variables["MILLRACE_KAFKA_PASSWORD"] == {"secretKeyRef": {"name": "millrace-api", "key": "password"}}
    assert not [name for name in variables if name.startswith("MILLRACE_CATALOG")]


def test_broker_ca_is_mounted_at_configured_path():
    pod = pick(api(), "Deployment")["spec"]["template"]["spec"]
    (volume,) = [item for item in pod["volumes"] if "secret" in item]
    assert volume["secret"]["secretName"] == "millrace-cluster-ca-cert"
    (mount,) = [item for item in container(api())["volumeMounts"] if item["name"] == volume["name"]]
    assert environment(api())["MILLRACE_KAFKA_CA_FILE"] == f"{mount['mountPath']}/ca.crt"


@pytest.mark.parametrize("values", [{"api": {"live": False}}, {"workloads": ["courses"]}], ids=["off", "nothing live"])
def test_api_without_live_updates_knows_no_broker(values):
    variables = environment(api(values))
    assert variables["MILLRACE_API_LIVE"] == "false"
    assert not [name for name in variables if name.startswith("MILLRACE_KAFKA")]
    assert [item["name"] for item in container(api(values))["volumeMounts"]] == ["tmp"]
    assert len(pick(api(values), POLICY)["spec"]["egress"]) == 2


def test_selected_workloads_are_passed_to_pod():
    assert "MILLRACE_WORKLOADS" not in environment(api())
    assert environment(api({"workloads": ["products", "courses"]}))["MILLRACE_WORKLOADS"] == "products,courses"


def test_every_variable_is_a_package_setting():
    from millrace.settings import Settings

    variables = environment(api({"api": {"auth": {"enabled": True}, "corsOrigins": ["https://a.example.com"]}}))
    assert variables["MILLRACE_API_CORS_ORIGINS"] == "https://a.example.com"
    assert {name.removeprefix("MILLRACE_").lower() for name in variables} <= Settings.model_fields.keys()


def test_large_numbers_reach_pod_without_scientific_notation():
    variables = environment(api({"api": {"bodyLimit": 50_000_000, "listLimit": 1_000_000}}))
    assert variables["MILLRACE_API_BODY_LIMIT"] == "50000000"
    assert variables["MILLRACE_API_LIST_LIMIT"] == "1000000"


def test_limits_on_slow_clients_reach_pod():
    variables = environment(api({"api": {"idleSeconds": 75, "connections": 100_000, "proxies": ["10.42.0.0/16"]}}))
    assert variables["MILLRACE_API_IDLE_TIMEOUT"] == "75"
    assert variables["MILLRACE_API_CONNECTIONS"] == "100000"
    assert variables["MILLRACE_API_PROXIES"] == "10.42.0.0/16"
    assert variables["MILLRACE_API_REQUEST_TIMEOUT"] == "30"
    assert "MILLRACE_API_PROXIES" not in environment(api({}))


def test_autoscaler_alone_controls_replica_count():
    objects = api()
    assert "replicas" not in pick(objects, "Deployment")["spec"]
    assert pick(objects, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == "millrace-api"
    fixed = api({"api": {"autoscaling": {"enabled": False}, "replicas": 4}})
    assert pick(fixed, "Deployment")["spec"]["replicas"] == 4
    assert not of_kind(fixed, "HorizontalPodAutoscaler")


def test_autoscaler_scales_up_fast_and_down_slowly():
    behavior = pick(api(), "HorizontalPodAutoscaler")["spec"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behavior["scaleDown"] == {
        "stabilizationWindowSeconds": 300,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
    }


def test_autoscaler_tracks_request_rate_when_configured():
    values = {"api": {"autoscaling": {"requestsPerSecond": 1500}}, "monitoring": {"serviceMonitor": {"enabled": True}}}
    cpu, requests = pick(api(values), "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert cpu["resource"]["name"] == "cpu"
    assert requests["pods"]["target"] == {"type": "AverageValue", "averageValue": "1500"}


def test_node_drain_leaves_one_pod_available():
    budget = pick(api(), "PodDisruptionBudget")["spec"]
    assert budget["minAvailable"] == 1
    assert budget["selector"] == pick(api(), "Deployment")["spec"]["selector"]


def test_pods_spread_across_nodes_and_zones():
    constraints = pick(api(), "Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [item["topologyKey"] for item in constraints] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    pod = pick(api({"api": {"spread": {"enabled": False}}}), "Deployment")["spec"]["template"]["spec"]
    assert "topologySpreadConstraints" not in pod


def test_service_routes_to_pods():
    service, pods = pick(api(), "Service"), pick(api(), "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= pods.items()
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "appProtocol": "http"}]


def test_only_port_8000_is_open_and_only_storage_and_brokers_are_reachable():
    spec = pick(api(), POLICY)["spec"]
    assert spec["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8000}]}]
    dns, storage, brokers = spec["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert brokers["to"][0]["podSelector"]["matchLabels"]["strimzi.io/kind"] == "Kafka"
    assert brokers["ports"] == [{"protocol": "TCP", "port": 9093}]
    assert storage["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "seaweedfs"
    assert not of_kind(api({"networkPolicy": {"enabled": False}}), POLICY)


def test_configured_peers_and_helm_test_are_allowed_in():
    gateways = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}
    (rule,) = pick(api({"api": {"networkPolicy": {"from": [gateways]}}}), POLICY)["spec"]["ingress"]
    assert rule["from"][0] == gateways
    tester = pick(render(only="tests"), "Pod")["metadata"]["labels"]
    assert rule["from"][1]["podSelector"]["matchLabels"].items() <= tester.items()


def test_external_storage_is_reached_by_port():
    external = {"enabled": True, "endpoint": "http://s3.example.com:8333", "existingSecret": "login"}
    _, storage, _ = pick(api({"storage": {"external": external}}), POLICY)["spec"]["egress"]
    assert storage == {"ports": [{"protocol": "TCP", "port": 8333}]}
    _, storage, _ = pick(api({"storage": {"external": {"enabled": True}}}), POLICY)["spec"]["egress"]
    assert [port["port"] for port in storage["ports"]] == [443, 80]


def test_service_account_annotations_override_cloud_annotations():
    role = "eks.amazonaws.com/role-arn"
    external = {"enabled": True, "serviceAccountAnnotations": {role: "all", "other": "x"}}
    values = {"storage": {"external": external}, "api": {"serviceAccount": {"annotations": {role: "reader"}}}}
    assert pick(api(values), "ServiceAccount")["metadata"]["annotations"] == {role: "reader", "other": "x"}


def test_keys_are_generated_once_and_never_by_default():
    assert not of_kind(api(), "Secret")
    objects = api({"api": {"auth": {"enabled": True}}})
    secret = pick(objects, "Secret")
    data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert data["keys"] == f"{data['api-key']},{data['metrics-key']}"
    assert min(len(data["api-key"]), len(data["metrics-key"])) >= 40
    assert secret["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert environment(objects)["MILLRACE_API_KEYS"] == {"secretKeyRef": {"name": "millrace-api-keys", "key": "keys"}}


def test_changed_keys_restart_pods():
    objects = api({"api": {"auth": {"enabled": True}}})
    assert pick(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/keys"]
    own = api({"api": {"auth": {"enabled": True, "existingSecret": "mine"}}})
    assert environment(own)["MILLRACE_API_KEYS"]["secretKeyRef"]["name"] == "mine"
    assert not of_kind(own, "Secret")


def test_disabled_api_renders_no_objects():
    assert api({"api": {"enabled": False}}) == []


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"autoscaling": {"minReplicas": 5, "maxReplicas": 2}}, ["minReplicas is 5", "maxReplicas is 2"]),
        ({"autoscaling": {"requestsPerSecond": 9}}, ["requestsPerSecond is 9", "serviceMonitor.enabled is false"]),
        ({"podDisruptionBudget": {"minAvailable": 2}}, ["minAvailable is 2", "minReplicas is 2"]),
        ({"autoscaling": {"enabled": False}, "replicas": 1}, ["minAvailable is 1", "api.replicas is 1"]),
        ({"drain": {"preStopSeconds": 30}}, ["graceSeconds is 35", "preStopSeconds is 30", "at least 50"]),
        ({"service": {"nodePort": 30080}}, ["service.type is ClusterIP", "nodePort is 30080"]),
        ({"auth": {"existingSecret": "mine"}}, ['existingSecret is "mine"', "auth.enabled is false"]),
        ({"replicas": -1}, ["replicas"]),
        ({"relpicas": 3}, ["relpicas"]),
    ],
)
def test_invalid_values_are_rejected_with_explanation(values, named):
    with pytest.raises(Refused) as refused:
        render({"api": values})
    assert all(part in str(refused.value) for part in named), str(refused.value)


def test_allowed_hosts_include_those_that_chart_itself_uses():
    from millrace.runtime.hosts import make_host_check
    from millrace.settings import Settings

    assert "MILLRACE_API_HOSTS" not in environment(api())
    values = {
        "api": {"hosts": ["api.example.com"]},
        "ingress": {"enabled": True, "hosts": ["a.example.com", "*.apps.example.com"]},
    }
    variables = environment(api(values))
    names = Settings(
        api_host=variables["MILLRACE_API_HOST"], api_hosts=variables["MILLRACE_API_HOSTS"]
    ).api_hosts.split(",")
    accepts = make_host_check("0.0.0.0", names)
    for host in (
        *("millrace-api:80", "millrace-api.millrace.svc", "millrace-api.millrace.svc.cluster.local"),
        *("api.example.com", "a.example.com", "x.apps.example.com", "10.42.0.7:8000", "localhost:8000"),
    ):
        assert accepts(host), host
    assert not accepts("evil.example")
