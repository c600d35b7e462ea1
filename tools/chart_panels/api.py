"""The API: requests, times, versions."""

from chart_panels import HERE

ASKED = f'{HERE},route!~"/health/.*|/v2/health/.*|/metrics"'
KNOWN_BY = "millrace_requests_total"
PANELS = [
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
        "Connections ended for their clients' slowness",
        "short",
        [(f"sum by (reason) (increase(millrace_connections_ended_total{{{HERE}}}[15m]))", "{{reason}}")],
    ),
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
