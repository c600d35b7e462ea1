{{/*
The configuration of one sink: what the Python package fixed for the workload, where this cluster's catalog and
storage are, and above both what the user wants. (dict "root" $ "name" <workload> "fixed" <its configuration>)
*/}}
{{- define "millrace.connector.config" -}}
{{- $values := .root.Values -}}
{{- $here := dict
  "iceberg.control.commit.interval-ms" (mul $values.connect.commitIntervalSeconds 1000 | toString)
  "iceberg.coordinator.transactional.prefix" (printf "lake-%s-" .name)
  "errors.deadletterqueue.topic.replication.factor" ($values.kafka.replicationFactor | toString)
  "iceberg.catalog" "iceberg"
  "iceberg.catalog.catalog-impl" "org.apache.iceberg.jdbc.JdbcCatalog"
  "iceberg.catalog.uri" (include "millrace.catalog.jdbc" (dict "root" .root "folder" "/mnt/catalog"))
  "iceberg.catalog.jdbc.schema-version" "V1"
  "iceberg.catalog.jdbc.user" (include "millrace.catalog.user" .root)
  "iceberg.catalog.jdbc.password" "${env:CATALOG_PASSWORD}"
  "iceberg.catalog.warehouse" (printf "s3://%s/warehouse" $values.storage.buckets.lake)
  "iceberg.catalog.io-impl" "org.apache.iceberg.aws.s3.S3FileIO"
  "iceberg.catalog.client.region" (include "millrace.storage.region" .root)
  "iceberg.catalog.s3.staging-dir" "/mnt/staging"
-}}
{{- with include "millrace.storage.endpoint" .root -}}
{{- $_ := set $here "iceberg.catalog.s3.endpoint" . -}}
{{- $_ := set $here "iceberg.catalog.s3.path-style-access" "true" -}}
{{- end -}}
{{- $fixed := omit .fixed "connector.class" "tasks.max" -}}
{{- toYaml (merge (deepCopy $values.connect.connectorConfig) $here $fixed) -}}
{{- end -}}
