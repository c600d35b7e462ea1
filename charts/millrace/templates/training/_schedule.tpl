{{- define "millrace.spark.schedule" -}}
schedule: {{ .schedule | quote }}
timeZone: {{ .timeZone | quote }}
suspend: {{ .suspend }}
# Two trainings of one workload would only repeat each other's work.
concurrencyPolicy: Forbid
successfulRunHistoryLimit: {{ .history.successful }}
failedRunHistoryLimit: {{ .history.failed }}
{{- end -}}
