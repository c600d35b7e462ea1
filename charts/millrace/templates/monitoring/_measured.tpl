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

{{/* What follows a stream and serves numbers of its own, as JSON {component: what its pods have beside their labels}. */}}
{{- define "millrace.followers" -}}
{{- $found := dict -}}
{{- if include "millrace.onlines" . | fromJsonArray }}{{ $_ := set $found "online" dict }}{{ end -}}
{{- if include "millrace.streams" . | fromJsonArray }}{{ $_ := set $found "stream" (dict "spark-role" "driver") }}{{ end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Whether the source of an alert is switched on: (dict "root" $ "needs" <needs of files/alerts.yaml>). */}}
{{- define "millrace.served" -}}
{{- $values := .root.Values -}}
{{- $pods := $values.monitoring.podMonitor.enabled -}}
{{- $followers := include "millrace.followers" .root | fromJson -}}
{{- $served := dict
  "operators" true
  "api" $values.monitoring.serviceMonitor.enabled
  "brokers" (and $pods $values.kafka.metrics (not $values.kafka.external.enabled))
  "exporter" (and $pods $values.kafka.exporter.enabled (not $values.kafka.external.enabled))
  "answers" (and $values.monitoring.serviceMonitor.enabled (hasKey $followers "online"))
  "online" (and $pods (hasKey $followers "online"))
  "stream" (and $pods (hasKey $followers "stream"))
  "connect" (and $pods $values.connect.enabled $values.connect.metrics) -}}
{{- if not (hasKey $served .needs) }}{{ fail (printf "files/alerts.yaml: needs %q is not known." .needs) }}{{ end -}}
{{- get $served .needs | ternary "yes" "" -}}
{{- end -}}
