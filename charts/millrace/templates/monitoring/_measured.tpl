{{/* Strimzi's parts that serve numbers, as JSON {name: kind}. Kafka's exporter runs in pods of the kind Kafka. */}}
{{- define "millrace.measured" -}}
{{- $found := dict -}}
{{- $kafka := .Values.kafka -}}
{{- if and (not $kafka.external.enabled) (or $kafka.metrics $kafka.exporter.enabled) -}}
{{- $_ := set $found "kafka" "Kafka" -}}
{{- end -}}
{{- if and .Values.connect.enabled .Values.connect.metrics -}}
{{- $_ := set $found "connect" "KafkaConnect" -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Whether the source of an alert is switched on: (dict "root" $ "needs" <needs of files/alerts.yaml>). */}}
{{- define "millrace.served" -}}
{{- $values := .root.Values -}}
{{- $pods := $values.monitoring.podMonitor.enabled -}}
{{- $served := dict
  "operators" true
  "api" $values.monitoring.serviceMonitor.enabled
  "brokers" (and $pods $values.kafka.metrics (not $values.kafka.external.enabled))
  "exporter" (and $pods $values.kafka.exporter.enabled (not $values.kafka.external.enabled))
  "connect" (and $pods $values.connect.enabled $values.connect.metrics) -}}
{{- if not (hasKey $served .needs) }}{{ fail (printf "files/alerts.yaml: needs %q is not known." .needs) }}{{ end -}}
{{- get $served .needs | ternary "yes" "" -}}
{{- end -}}
