"""What follows the streams: events and recommendations, pages and clusters."""

from chart_panels import HERE

STREAM, UPDATER = "millrace_stream", "millrace_online"
KNOWN_BY = "millrace_deltas_total"
PANELS = [
    (
        "Events posted a second",
        "reqps",
        [(f"sum by (workload) (rate(millrace_events_total{{{HERE}}}[5m]))", "{{workload}}")],
    ),
    (
        "Events counted a second",
        "short",
        [(f"sum by (workload, outcome) (rate({UPDATER}_events_total{{{HERE}}}[5m]))", "{{workload}} {{outcome}}")],
    ),
    (
        "Time to publish what events change",
        "s",
        [
            (
                f"histogram_quantile({quantile}, sum by (le) (rate({UPDATER}_publish_seconds_bucket{{{HERE}}}[5m])))",
                f"{quantile}",
            )
            for quantile in (0.5, 0.99)
        ],
    ),
    (
        "Seconds that answers are behind the stream",
        "s",
        [(f"max by (workload) (millrace_staleness_seconds{{{HERE}}})", "{{workload}}")],
    ),
    (
        "Changes that the API took up a second",
        "short",
        [
            (f"sum by (topic) (rate(millrace_deltas_total{{{HERE}}}[5m]))", "{{topic}}"),
            (f"sum by (topic) (rate(millrace_deltas_refused_total{{{HERE}}}[5m]))", "{{topic}} left out"),
        ],
    ),
    (
        "Memory of what follows",
        "bytes",
        [
            (
                f'sum by (pod) (container_memory_working_set_bytes{{{HERE},container=~"online|spark-kubernetes-.+"}})',
                "{{pod}}",
            )
        ],
    ),
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
            (f"max by (workload) ({STREAM}_moved{{{HERE}}})", "{{workload}} centres, over their distance"),
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
