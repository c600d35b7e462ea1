"""Write charts/millrace/files/dashboards/*.json from the panels below; `--check` only says whether they are current."""

import argparse
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "charts/millrace/files/dashboards"
WIDTH, HEIGHT = 12, 8  # of a panel; a row of Grafana is 24 wide
HERE = 'namespace="$namespace"'
ASKED = f'{HERE},route!~"/health/.*|/v2/health/.*|/metrics"'

# (title, unit, [(PromQL, legend), ...])
API = [
    ("Requests a second", "reqps", [(f"sum by (route) (rate(millrace_requests_total{{{ASKED}}}[5m]))", "{{route}}")]),
    ("Answers by status", "reqps", [(f"sum by (status) (rate(millrace_requests_total{{{ASKED}}}[5m]))", "{{status}}")]),
    (
        "Time to answer",
        "s",
        [
            (
                f"histogram_quantile({quantile}, sum by (le) (rate(millrace_request_seconds_bucket{{{ASKED}}}[5m])))",
                f"{quantile}",
            )
            for quantile in (0.5, 0.9, 0.99)
        ],
    ),
    ("Rows answered a second", "rowsps", [(f"sum by (model) (rate(millrace_rows_total{{{HERE}}}[5m]))", "{{model}}")]),
    (
        "Requests a second by pod",
        "reqps",
        [(f"sum by (pod) (rate(millrace_requests_total{{{ASKED}}}[5m]))", "{{pod}}")],
    ),
    (
        "CPU by pod",
        "short",
        [(f'sum by (pod) (rate(container_cpu_usage_seconds_total{{{HERE},container="api"}}[5m]))', "{{pod}}")],
    ),
    (
        "Memory by pod",
        "bytes",
        [(f'sum by (pod) (container_memory_working_set_bytes{{{HERE},container="api"}})', "{{pod}}")],
    ),
    (
        "Versions served, by pods",
        "short",
        [(f"count by (model, version) (millrace_model_version{{{HERE}}} == 1)", "{{model}} {{version}}")],
    ),
    (
        "Champions taken up and refused",
        "short",
        [
            (f"sum by (model) (increase(millrace_champion_swaps_total{{{HERE}}}[15m]))", "{{model}} taken up"),
            (f"sum by (model) (increase(millrace_champion_refused_total{{{HERE}}}[15m]))", "{{model}} refused"),
        ],
    ),
    (
        "Seconds since the registry was reached",
        "s",
        [
            (f"time() - min by (pod) (millrace_polled_at_seconds{{{HERE}}} > 0)", "{{pod}}"),
            (f"sum(increase(millrace_poll_failures_total{{{HERE}}}[15m]))", "failures in 15 minutes"),
        ],
    ),
]
OFFSETS = "kafka_topic_partition_current_offset"
WORKERS = "kafka_connect_connect_worker_metrics_connector"
PIPELINE = [
    (
        "Records a second",
        "short",
        [(f'sum by (topic) (rate({OFFSETS}{{{HERE},topic=~".+records"}}[5m]))', "{{topic}}")],
    ),
    (
        "Rejected rows and dead letters in an hour",
        "short",
        [(f'sum by (topic) (increase({OFFSETS}{{{HERE},topic=~".+rejected"}}[1h]))', "{{topic}}")],
    ),
    (
        "Messages that the sinks are behind",
        "short",
        [
            (
                f'sum by (consumergroup) (kafka_consumergroup_lag{{{HERE},consumergroup=~"connect-lake-.+"}})',
                "{{consumergroup}}",
            )
        ],
    ),
    (
        "Tasks of the sinks",
        "short",
        [
            (f"sum by (connector) ({WORKERS}_running_task_count{{{HERE}}})", "{{connector}} runs"),
            (f"sum by (connector) ({WORKERS}_failed_task_count{{{HERE}}})", "{{connector}} has failed"),
        ],
    ),
    (
        "Partitions with too few replicas",
        "short",
        [(f"sum(kafka_server_replicamanager_underreplicatedpartitions{{{HERE}}})", "partitions")],
    ),
    (
        "Spark applications",
        "short",
        [
            ("sum(spark_application_running_count)", "running"),
            ("sum(increase(spark_application_success_count[1h]))", "succeeded in an hour"),
            ("sum(increase(spark_application_failure_count[1h]))", "failed in an hour"),
        ],
    ),
    (
        "Free space of volumes",
        "percentunit",
        [
            (
                f"kubelet_volume_stats_available_bytes{{{HERE}}} / kubelet_volume_stats_capacity_bytes{{{HERE}}}",
                "{{persistentvolumeclaim}}",
            )
        ],
    ),
    (
        "Restarts in half an hour",
        "short",
        [(f"sum by (pod) (increase(kube_pod_container_status_restarts_total{{{HERE}}}[30m])) > 0", "{{pod}}")],
    ),
]
STREAM = "millrace_stream"
LIVE = [
    (
        "Pages scored a second",
        "rowsps",
        [(f"sum by (workload) (rate({STREAM}_rows_total{{{HERE}}}[5m]))", "{{workload}}")],
    ),
    (
        "Pages that are not scored yet",
        "short",
        [(f"max by (workload) ({STREAM}_lag{{{HERE}}})", "{{workload}}")],
    ),
    (
        "Seconds of a micro-batch, and age of the newest page",
        "s",
        [
            (f"max by (workload) ({STREAM}_batch_seconds{{{HERE}}})", "{{workload}} batch"),
            (f"time() - max by (workload) ({STREAM}_watermark_seconds{{{HERE}}})", "{{workload}} newest page"),
        ],
    ),
    (
        "Pages by cluster",
        "short",
        [(f"max by (workload, cluster) ({STREAM}_cluster_pages{{{HERE}}})", "{{workload}} {{cluster}}")],
    ),
    (
        "Drift since the training",
        "short",
        [
            (f"max by (workload) ({STREAM}_psi{{{HERE}}})", "{{workload}} shares (PSI)"),
            (f"max by (workload) ({STREAM}_inertia_ratio{{{HERE}}})", "{{workload}} distance, against the training's"),
            (f"max by (workload) ({STREAM}_moved{{{HERE}}})", "{{workload}} centres, in deviations"),
        ],
    ),
    (
        "Versions that score",
        "short",
        [(f"count by (workload, version) ({STREAM}_version{{{HERE}}} == 1)", "{{workload}} {{version}}")],
    ),
    (
        "Faults of the stream in 15 minutes",
        "short",
        [
            (f"sum by (workload) (increase({STREAM}_failures_total{{{HERE}}}[15m]))", "{{workload}} begun again"),
            (f"sum by (workload) (increase({STREAM}_repaired_total{{{HERE}}}[15m]))", "{{workload}} pages repaired"),
            (f"sum by (workload) (increase({STREAM}_unreadable_total{{{HERE}}}[15m]))", "{{workload}} unreadable"),
        ],
    ),
]
DASHBOARDS = {
    "api": ("Millrace: API", API, "millrace_requests_total"),
    "live": ("Millrace: live", LIVE, f"{STREAM}_running"),
    "pipeline": ("Millrace: pipeline", PIPELINE, OFFSETS),
}


def panel(number: int, title: str, unit: str, queries: list[tuple[str, str]]) -> dict:
    source = {"type": "prometheus", "uid": "$datasource"}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(65 + place), "datasource": source, "expr": query, "legendFormat": legend}
            for place, (query, legend) in enumerate(queries)
        ],
    }


def dashboard(name: str) -> str:
    title, panels, known_by = DASHBOARDS[name]
    variables = [
        {"name": "datasource", "type": "datasource", "query": "prometheus"},
        {
            "name": "namespace",
            "type": "query",
            "datasource": {"type": "prometheus", "uid": "$datasource"},
            "query": f"label_values({known_by}, namespace)",
            "refresh": 2,
        },
    ]
    return (
        json.dumps(
            {
                "uid": f"millrace-{name}",
                "title": title,
                "tags": ["millrace"],
                "schemaVersion": 39,
                "refresh": "30s",
                "time": {"from": "now-3h", "to": "now"},
                "templating": {"list": variables},
                "panels": [panel(number, *one) for number, one in enumerate(panels)],
            },
            indent=1,
        )
        + "\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name in DASHBOARDS:
        file = FOLDER / f"{name}.json"
        if not file.exists() or file.read_text() != dashboard(name):
            stale.append(file.name)
            if not check:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(dashboard(name))
    if check and stale:
        print(f"not current: {', '.join(stale)}; run python tools/chart_dashboards.py", file=sys.stderr)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
