"""From ingest to lake, and Spark's applications."""

from chart_panels import HERE

OFFSETS = "kafka_topic_partition_current_offset"
WORKERS = "kafka_connect_connect_worker_metrics_connector"
KNOWN_BY = OFFSETS
PANELS = [
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
