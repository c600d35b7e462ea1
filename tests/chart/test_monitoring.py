"""Monitors, alerts and dashboards, and that the numbers they read exist."""

import json
import re
import subprocess
import sys

import pytest
import yaml

from tests.chart.render import CHART, ROOT, Refused, of_kind, pick, render

ALL = {
    "kafka": {"metrics": True, "exporter": {"enabled": True}},
    "connect": {"metrics": True},
    "monitoring": {
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "alerts": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboards": {"enabled": True},
    },
}
WORDS = {
    *("sum", "count", "rate", "increase", "absent", "time", "min", "max", "by", "le", "on", "histogram_quantile"),
    "label_values",
}


def monitoring(values=None):
    return render(values if values is not None else ALL, only="monitoring")


def rules(objects):
    return {rule["alert"]: rule for rule in pick(objects, "PrometheusRule")["spec"]["groups"][0]["rules"]}


def names(query):
    """The metrics in a query: words that are neither functions, labels in brackets, nor in strings."""
    bare = re.sub(r"\{[^{}]*\}|\[[^\[\]]*\]|\bby \([^()]*\)", " ", re.sub(r'"[^"]*"', '""', query))
    return {word for word in re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare) if word not in WORDS}


def samples(metrics):
    """Every sample name of a collection of metrics."""
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
    return {family.name + suffix for family in metrics.registry.collect() for suffix in suffixes.get(family.type, [])}


def served_by_the_api():
    from millrace.serving.metrics import ApiMetrics

    return samples(ApiMetrics())


def served_by_the_updater():
    from millrace.online.metrics import OnlineMetrics

    return samples(OnlineMetrics())


def served_by_the_stream():
    """Every metric of millrace.stream.metrics, which exports those that have a value."""
    from millrace.stream.metrics import METRIC_HELP

    return {f"millrace_stream_{name}" for name in METRIC_HELP}


def documented():
    return yaml.safe_load((CHART / "files/metrics.yaml").read_text()).keys()


def queries():
    for name, alert in yaml.safe_load((CHART / "files/alerts.yaml").read_text())["alerts"].items():
        yield name, re.sub(r"<\w+>", "0", alert["expr"])
    for file in sorted((CHART / "files/dashboards").glob("*.json")):
        board = json.loads(file.read_text())
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{file.name}: {panel['title']}", target["expr"]
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{file.name}: {variable['name']}", variable["query"].replace(", namespace", "")


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_every_queried_metric_exists(where, query):
    result = names(query)
    assert result
    assert result - served_by_the_api() - served_by_the_updater() - served_by_the_stream() - documented() == set()


def test_no_documented_metric_is_unused():
    assert documented() - set().union(*(names(query) for _, query in queries())) == set()


def test_no_query_groups_by_label_missing_from_api():
    from millrace.serving.metrics import ApiMetrics

    metrics = ApiMetrics()
    labels = {"pod", "le", "workload", "cluster", "outcome"}
    for metric in (
        metrics.requests,
        metrics.seconds,
        metrics.rows,
        metrics.swaps,
        metrics.refused,
        metrics.version,
        metrics.deltas,
        metrics.connections_ended,
    ):
        labels |= set(metric._labelnames)
    for where, query in queries():
        if "millrace_" in query:
            for group in re.findall(r"by \(([^()]*)\)", query):
                assert set(group.replace(" ", "").split(",")) <= labels, where


def test_nothing_is_rendered_by_default():
    assert monitoring({}) == []


def test_api_is_scraped_through_its_service():
    monitor = pick(monitoring(), "ServiceMonitor")
    service = pick(render(only="api"), "Service")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert endpoint["path"] == "/metrics"
    assert "authorization" not in endpoint


def test_prometheus_has_its_own_key_when_auth_is_enabled():
    (endpoint,) = pick(monitoring(ALL | {"api": {"auth": {"enabled": True}}}), "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["authorization"] == {
        "type": "Bearer",
        "credentials": {"name": "millrace-api-keys", "key": "metrics-key"},
    }


def test_brokers_workers_and_drivers_are_scraped_if_they_expose_metrics():
    followers = {"millrace-online", "millrace-stream"}
    always = {"millrace-connect", "millrace-training"}
    assert of_kind(monitoring(), "PodMonitor").keys() == {"millrace-kafka"} | always | followers
    assert of_kind(monitoring(ALL | {"kafka": {}}), "PodMonitor").keys() == always | followers
    assert of_kind(monitoring(ALL | {"workloads": ["courses"]}), "PodMonitor").keys() == {"millrace-kafka"} | always


def test_monitor_matches_pods_and_port_of_streaming_components():
    monitors = of_kind(monitoring(), "PodMonitor")
    pod = pick(render(only="online"), "Deployment")["spec"]["template"]
    driver = pick(render(only="stream"), "SparkApplication")["spec"]["driver"]
    # Spark itself puts the role on a pod.
    of = {"online": pod["metadata"]["labels"], "stream": driver["labels"] | {"spark-role": "driver"}}
    ports = {"online": pod["spec"]["containers"][0]["ports"], "stream": driver["ports"]}
    for name, labels in of.items():
        spec = monitors[f"millrace-{name}"]["spec"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        assert spec["podMetricsEndpoints"][0]["port"] in [port["name"] for port in ports[name]]


def test_alerts_without_metrics_are_omitted():
    everything = yaml.safe_load((CHART / "files/alerts.yaml").read_text())["alerts"].keys()
    assert rules(monitoring()).keys() == everything
    quiet = rules(monitoring(ALL | {"workloads": ["courses"]})).keys()
    live = yaml.safe_load((CHART / "files/alerts.yaml").read_text())["alerts"]
    assert everything - quiet == {
        name for name, alert in live.items() if alert["needs"] in ("answers", "online", "stream")
    }
    fewer = rules(monitoring(ALL | {"kafka": {}, "connect": {}})).keys()
    assert everything - fewer == {
        "MillraceSinkBehind",
        "MillraceSinkFailed",
        "MillraceDeadLetters",
        "MillracePartitionsUnderReplicated",
    }


def test_alert_has_summary_fix_and_thresholds_filled_in():
    values = ALL | {"monitoring": ALL["monitoring"] | {"alerts": {"enabled": True, "lag": 5_000_000}}}
    result = rules(monitoring(values))
    for rule in result.values():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert not re.search(r"<\w+>", str(rule))
    assert result["MillraceSinkBehind"]["expr"].endswith("> 5000000")
    assert 'workload=~"mooc|shop"' in result["MillraceRecommendationsStale"]["expr"]
    assert result["MillraceRecommendationsStale"]["expr"].endswith("> 10")
    assert result["MillracePagesDrift"]["expr"].endswith("> 0.25")
    assert 'job="millrace-api"' in result["MillraceApiDown"]["expr"]


def test_alert_can_be_disabled():
    alerts = ALL["monitoring"]["alerts"] | {"disabled": ["MillraceNoModel"]}
    assert "MillraceNoModel" not in rules(monitoring(ALL | {"monitoring": ALL["monitoring"] | {"alerts": alerts}}))


def test_dashboards_are_valid_json_and_up_to_date():
    boards = of_kind(monitoring(), "ConfigMap")
    assert boards.keys() == {f"millrace-dashboard-{name}" for name in ("api", "live", "pipeline")}
    for board in boards.values():
        assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
        (text,) = board["data"].values()
        assert json.loads(text)["panels"]
    check = [sys.executable, str(ROOT / "tools/chart_dashboards.py"), "--check"]
    assert subprocess.run(check, capture_output=True, text=True).stderr == ""


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"alerts": {"enabled": True}}, ["alerts.enabled is true", "serviceMonitor.enabled", "podMonitor.enabled"]),
        ({"alerts": {"disabled": ["NoSuchAlert"]}}, ['"NoSuchAlert"', "MillraceApiDown"]),
        ({"serviceMonitor": {"interval": "often"}}, ["interval"]),
        ({"alerts": {"errorRatio": 2}}, ["errorRatio"]),
    ],
)
def test_invalid_values_are_rejected_with_explanation(values, named):
    with pytest.raises(Refused) as refused:
        render({"monitoring": values})
    assert all(part in str(refused.value) for part in named), str(refused.value)


def test_monitor_without_targets_is_rejected():
    off = {"enabled": False}
    with pytest.raises(Refused, match="there would be nothing to scrape"):
        render({"monitoring": {"podMonitor": {"enabled": True}}, "training": off, "stream": off, "online": off})
