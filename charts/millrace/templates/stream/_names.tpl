{{/* Names of the workloads whose pages are scored as they arrive, as a JSON list; empty where nothing is. */}}
{{- define "millrace.streams" -}}
{{- $found := list -}}
{{- if .Values.stream.enabled -}}
{{- $having := include "millrace.workloadsHaving" (dict "root" . "having" "pages") | fromJsonArray -}}
{{- $found = .Values.stream.workloads | default $having -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}
