"""templates/kafka: brokers, topics and users."""

import re

import pytest

from tests.chart.profiles import EXTERNAL_KAFKA
from tests.chart.render import Refused, of_kind, pick, render

COMPONENTS = ["api", "connect", "ingest", "online", "provision", "stream", "train"]


def kafka(values=None, *profiles):
    return render(values, *profiles, only="kafka")


def acls(component, values=None):
    """{(type, name, pattern): operations} of a component's user."""
    user = pick(kafka(values), "KafkaUser", f"millrace-{component}")
    return {
        (rule["resource"]["type"], rule["resource"].get("name"), rule["resource"].get("patternType")): set(
            rule["operations"]
        )
        for rule in user["spec"]["authorization"]["acls"]
    }


def test_only_listener_is_encrypted_and_requires_authentication():
    (listener,) = pick(kafka(), "Kafka")["spec"]["kafka"]["listeners"]
    peers = listener.pop("networkPolicyPeers")
    assert listener == {
        "name": "tls",
        "port": 9093,
        "type": "internal",
        "tls": True,
        "authentication": {"type": "scram-sha-512"},
    }
    assert {"app.kubernetes.io/name": "millrace", "app.kubernetes.io/instance": "millrace"} in [
        peer["podSelector"]["matchLabels"] for peer in peers
    ]


def test_records_have_three_replicas_of_which_two_must_be_in_sync():
    config = pick(kafka(), "Kafka")["spec"]["kafka"]["config"]
    assert config["default.replication.factor"] == config["transaction.state.log.replication.factor"] == 3
    assert config["min.insync.replicas"] == config["transaction.state.log.min.isr"] == 2
    assert config["auto.create.topics.enable"] is False
    for topic in of_kind(kafka(), "KafkaTopic").values():
        assert topic["spec"]["replicas"] == 3
        assert topic["spec"]["config"]["min.insync.replicas"] == "2"


def test_user_broker_settings_override_defaults():
    config = pick(kafka({"kafka": {"config": {"offsets.retention.minutes": 60}}}), "Kafka")["spec"]["kafka"]["config"]
    assert config["offsets.retention.minutes"] == 60
    assert config["min.insync.replicas"] == 2


def test_single_pool_serves_as_broker_and_controller_by_default():
    pool = pick(kafka(), "KafkaNodePool")
    assert pool["metadata"]["name"] == "broker"
    assert pool["metadata"]["labels"]["strimzi.io/cluster"] == "millrace"
    assert pool["spec"]["roles"] == ["controller", "broker"]
    assert pool["spec"]["replicas"] == 3
    (volume,) = pool["spec"]["storage"]["volumes"]
    assert volume["deleteClaim"] is False
    assert volume["kraftMetadata"] == "shared"


def test_production_separates_controllers_and_spreads_pods_across_zones():
    objects = kafka(None, "production")
    pools = of_kind(objects, "KafkaNodePool")
    assert {name: pool["spec"]["roles"] for name, pool in pools.items()} == {
        "broker": ["broker"],
        "controller": ["controller"],
    }
    spec = pick(objects, "Kafka")["spec"]["kafka"]
    assert spec["rack"] == {"topologyKey": "topology.kubernetes.io/zone"}
    assert spec["config"]["replica.selector.class"].endswith("RackAwareReplicaSelector")
    keys = [rule["topologyKey"] for rule in spec["template"]["pod"]["topologySpreadConstraints"]]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_selected_workloads_get_all_topics_with_valid_kubernetes_names():
    topics = of_kind(kafka({"workloads": ["courses"]}), "KafkaTopic")
    assert {topic["spec"]["topicName"] for topic in topics.values()} == {
        "lake.control",
        "ingest.receipts",
        "connect.rejected",
        "courses.records",
        "courses.rejected",
    }
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", name) for name in topics)


def test_partitions_default_to_values_unless_topic_sets_them():
    topics = of_kind(kafka({"kafka": {"partitions": 7}}), "KafkaTopic")
    partitions = {topic["spec"]["topicName"]: topic["spec"]["partitions"] for topic in topics.values()}
    assert partitions["courses.records"] == 7
    assert partitions["courses.rejected"] == partitions["lake.control"] == 1


def test_records_are_kept_for_the_days_of_the_values_and_other_topics_as_they_are():
    for values, days in (({}, 7), ({"kafka": {"retentionDays": 90}}, 90)):
        topics = of_kind(kafka(values), "KafkaTopic").values()
        kept = {topic["spec"]["topicName"]: topic["spec"]["config"].get("retention.ms") for topic in topics}
        assert {kept[name] for name in kept if name.endswith(".records")} == {str(days * 86_400_000)}
        assert (kept["connect.rejected"], kept["lake.control"]) == ("2592000000", "2592000000")
    with pytest.raises(Refused, match="retentionDays"):
        kafka({"kafka": {"retentionDays": 0}})


def test_topics_survive_uninstall():
    for topic in of_kind(kafka(), "KafkaTopic").values():
        assert topic["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@pytest.mark.parametrize(("values", "kept"), [({}, False), ({"kafka": {"keepOnUninstall": True}}, True)])
def test_brokers_survive_uninstall_when_configured(values, kept):
    for kind in ("Kafka", "KafkaNodePool"):
        annotations = pick(kafka(values), kind)["metadata"].get("annotations", {})
        assert ("helm.sh/resource-policy" in annotations) is kept


def test_paused_kafka_is_not_reconciled_by_operator():
    assert "annotations" not in pick(kafka(), "Kafka")["metadata"]
    annotations = pick(kafka({"kafka": {"paused": True}}), "Kafka")["metadata"]["annotations"]
    assert annotations == {"strimzi.io/pause-reconciliation": "true"}


def test_each_component_has_user_with_operator_generated_password():
    users = of_kind(kafka(), "KafkaUser")
    assert sorted(users) == [f"millrace-{component}" for component in COMPONENTS]
    for user in users.values():
        assert user["spec"]["authentication"] == {"type": "scram-sha-512"}
        assert user["spec"]["authorization"]["type"] == "simple"


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_component_has_unrestricted_permissions(component):
    for (kind, name, _), operations in acls(component).items():
        assert kind != "cluster"
        assert name not in (None, "*", "")
        assert not operations & {"All", "Alter", "AlterConfigs", "Delete", "ClusterAction"}


@pytest.mark.parametrize("component", ["provision", "train"])
def test_read_only_components_may_not_write(component):
    assert not any(operations & {"Write", "Create"} for operations in acls(component).values())


def test_api_writes_events_and_follows_deltas():
    rules = acls("api")
    assert {name for (_, name, _), given in rules.items() if "Write" in given} == {"mooc.records", "shop.records"}
    assert {name for (_, name, _), given in rules.items() if "Read" in given} == {
        "mooc.deltas",
        "shop.deltas",
        "urls.deltas",
    }
    assert rules["topic", "urls.records", "literal"] == {"Describe"}
    quiet = acls("api", {"api": {"live": False}})
    assert set().union(*quiet.values()) == {"Describe"}


def test_updater_reads_events_and_writes_deltas():
    rules = acls("online", {"workloads": ["mooc", "urls"]})
    assert rules == {
        ("topic", "mooc.records", "literal"): {"Describe", "Read"},
        ("topic", "mooc.deltas", "literal"): {"Describe", "Read", "Write"},
    }


def test_stream_reads_pages_and_writes_to_every_possible_cluster():
    from millrace.workloads import load_workloads

    rules = acls("stream")
    assert rules.pop(("group", "spark-kafka-source-", "prefix")) == {"Describe", "Read"}
    assert rules.pop(("topic", "urls.records", "literal")) == {"Describe", "Read"}
    written = {"urls.deltas", *load_workloads()["urls"].cluster_topics}
    assert rules == {("topic", name, "literal"): {"Describe", "Read", "Write"} for name in written}


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"workloads": ["courses"]}, {"millrace-online", "millrace-stream"}),
        ({"workloads": ["mooc"]}, {"millrace-stream"}),
        ({"stream": {"enabled": False}, "online": {"enabled": False}}, {"millrace-online", "millrace-stream"}),
    ],
)
def test_disabled_component_has_no_user(values, missing):
    everybody = {f"millrace-{component}" for component in COMPONENTS}
    assert of_kind(kafka(values), "KafkaUser").keys() == everybody - missing


def test_delta_topics_have_single_compacted_partition():
    topics = {item["spec"]["topicName"]: item["spec"] for item in of_kind(kafka(), "KafkaTopic").values()}
    for name in ("mooc.deltas", "shop.deltas", "urls.deltas"):
        assert topics[name]["partitions"] == 1
        assert topics[name]["config"]["cleanup.policy"] == "compact"
    assert topics["urls.cluster.9"]["partitions"] == topics["urls.records"]["partitions"] == 4


def test_ingest_writes_records_and_reads_back_receipts_and_rejects():
    rules = acls("ingest")
    assert rules["topic", "courses.records", "literal"] == {"Describe", "Write"}
    assert rules["topic", "courses.rejected", "literal"] == {"Describe", "Read", "Write"}
    assert rules["topic", "ingest.receipts", "literal"] == {"Describe", "Read", "Write"}
    assert rules["topic", "connect.rejected", "literal"] == {"Describe", "Read"}
    assert not [rule for rule in rules if rule[0] != "topic"]


def test_connect_has_its_topics_and_permissions_for_iceberg_sink():
    rules = acls("connect")
    for name in ("connect.configs", "connect.offsets", "connect.status"):
        assert rules["topic", name, "literal"] >= {"Create", "Describe", "Read", "Write"}
    assert rules["group", "millrace-connect", "literal"] == {"Describe", "Read"}
    assert rules["topic", "courses.records", "literal"] == {"Describe", "Read"}
    assert rules["topic", "lake.control", "literal"] == {"Describe", "Read", "Write"}
    assert rules["topic", "connect.rejected", "literal"] == {"Describe", "Write"}
    # The sink's consumer group, its coordinator's, and the workers' on the control topic.
    assert rules["group", "connect-lake-", "prefix"] == {"Describe", "Read"}
    assert rules["group", "cg-control-", "prefix"] == {"Describe", "Read"}
    assert rules["transactionalId", "lake-", "prefix"] == {"Describe", "Write"}


def test_provision_sets_offsets_of_coordinators_and_reads_no_records():
    rules = acls("provision")
    assert rules["group", "connect-lake-", "prefix"] == {"Describe", "Read"}
    assert "Read" in rules["topic", "lake.control", "literal"]
    assert "Read" not in rules["topic", "courses.records", "literal"]
    assert not any("Write" in operations for operations in rules.values())


def test_transactional_ids_of_each_sink_match_acl_prefix():
    for connector in of_kind(render(only="connect"), "KafkaConnector").values():
        assert connector["spec"]["config"]["iceberg.coordinator.transactional.prefix"].startswith("lake-")


def test_unselected_workload_is_not_writable():
    assert ("topic", "products.records", "literal") not in acls("ingest", {"workloads": ["courses"]})


def test_external_kafka_renders_no_brokers_topics_or_users():
    assert kafka(EXTERNAL_KAFKA) == []
