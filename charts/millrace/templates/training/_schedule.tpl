{{- define "millrace.spark.schedule" -}}
schedule: {{ .schedule | quote }}
timeZone: {{ .timeZone | quote }}
suspend: {{ .suspend }}
# Two trainings of one workload would only repeat each other's work.
concurrencyPolicy: Forbid
successfulRunHistoryLimit: {{ .history.successful }}
failedRunHistoryLimit: {{ .history.failed }}
{{- end -}}

{{/*
The name of an application: (dict "root" $ "suffix" "train-courses"). The operator appends a time of 20 characters to a
scheduled one and puts the whole into a label, which takes 63: a long release's name is cut, with a check sum for it.
*/}}
{{- define "millrace.spark.name" -}}
{{- $full := include "millrace.fullname" .root -}}
{{- $name := printf "%s-%s" $full .suffix -}}
{{- if gt (len $name) 43 -}}
{{- $kept := sub 43 (add 8 (len .suffix)) | int -}}
{{- $name = printf "%s-%s-%s" (trunc $kept $full | trimSuffix "-") (sha256sum $full | trunc 6) .suffix -}}
{{- end -}}
{{- $name -}}
{{- end -}}
