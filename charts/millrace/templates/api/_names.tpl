{{/* The secret that holds the API's keys. */}}
{{- define "millrace.api.keysSecret" -}}
{{- .Values.api.auth.existingSecret | default (printf "%s-api-keys" (include "millrace.fullname" .)) -}}
{{- end -}}

{{- define "millrace.api.serviceAccount" -}}
{{- printf "%s-api" (include "millrace.fullname" .) -}}
{{- end -}}
