{{/* The secret that holds the API's keys. */}}
{{- define "millrace.api.keysSecret" -}}
{{- .Values.api.auth.existingSecret | default (printf "%s-api-keys" (include "millrace.fullname" .)) -}}
{{- end -}}

{{- define "millrace.api.serviceAccount" -}}
{{- printf "%s-api" (include "millrace.fullname" .) -}}
{{- end -}}

{{/*
The names under which the API is reached, where api.hosts limits them: those, the Service's and the ingress's. Bare
addresses, as probes and scrapes use, are accepted without being named. Empty where every name is.
*/}}
{{- define "millrace.api.hosts" -}}
{{- if .Values.api.hosts -}}
{{- $service := printf "%s-api" (include "millrace.fullname" .) -}}
{{- $inside := printf "%s.%s" $service .Release.Namespace -}}
{{- $names := list $service $inside (printf "%s.svc" $inside) (printf "%s.svc.cluster.local" $inside) -}}
{{- if .Values.ingress.enabled -}}{{- $names = concat $names .Values.ingress.hosts -}}{{- end -}}
{{- if .Values.gateway.enabled -}}{{- $names = concat $names .Values.gateway.hostnames -}}{{- end -}}
{{- join "," (concat $names .Values.api.hosts | uniq) -}}
{{- end -}}
{{- end -}}
