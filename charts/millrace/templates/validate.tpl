{{/* Combinations that no cluster could run; each sentence names both values. Renders nothing. */}}
{{- $kafka := .Values.kafka }}
{{- if not $kafka.external.enabled }}
  {{- if gt (int $kafka.replicationFactor) (int $kafka.replicas) }}
    {{- fail (printf "kafka.replicationFactor is %v, but kafka.replicas gives only %v brokers to keep the copies." $kafka.replicationFactor $kafka.replicas) }}
  {{- end }}
  {{- if $kafka.external.bootstrap }}
    {{- fail (printf "kafka.external.bootstrap is %q, but kafka.external.enabled is false: enable it, or empty the address." $kafka.external.bootstrap) }}
  {{- end }}
{{- end }}
{{- if gt (int $kafka.minInSyncReplicas) (int $kafka.replicationFactor) }}
  {{- fail (printf "kafka.minInSyncReplicas is %v, but kafka.replicationFactor makes only %v copies: nothing could be written." $kafka.minInSyncReplicas $kafka.replicationFactor) }}
{{- end }}
{{- if and (gt (int $kafka.replicationFactor) 1) (eq (int $kafka.minInSyncReplicas) (int $kafka.replicationFactor)) }}
  {{- fail (printf "kafka.minInSyncReplicas is %v and kafka.replicationFactor is %v: with one broker away nothing could be written; allow one less." $kafka.minInSyncReplicas $kafka.replicationFactor) }}
{{- end }}
{{- if $kafka.external.enabled }}
  {{- include "millrace.validate.externalKafka" . }}
{{- end }}
{{- include "millrace.validate.catalog" . }}
{{- include "millrace.validate.catalogCa" . }}
{{- include "millrace.validate.storage" . }}
{{- include "millrace.validate.storageKept" . }}
{{- $_ := include "millrace.workloads" . }}
