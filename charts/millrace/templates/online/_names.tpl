{{/* Names of the workloads whose recommendations follow the events, as a JSON list; empty where none do. */}}
{{- define "millrace.onlines" -}}
{{- if .Values.online.enabled -}}
{{- include "millrace.workloadsHaving" (dict "root" . "having" "events") -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/* "true" where the API follows Kafka, else "false": nothing is published for workloads that are not live. */}}
{{- define "millrace.api.live" -}}
{{- $live := include "millrace.workloadsHaving" (dict "root" . "having" "live") | fromJsonArray -}}
{{- and .Values.api.live (not (empty $live)) -}}
{{- end -}}
