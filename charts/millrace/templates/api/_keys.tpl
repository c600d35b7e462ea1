{{/*
The generated keys as base64 data of a Secret. Those of the cluster are taken where they are, so that an upgrade keeps
them; else they are made once a rendering, so that the Secret and its checksum agree.
*/}}
{{- define "millrace.api.keysData" -}}
{{- $name := include "millrace.api.keysSecret" . -}}
{{- if not (hasKey .Values.api.auth "made") -}}
  {{- $found := (lookup "v1" "Secret" .Release.Namespace $name).data -}}
  {{- if not (and $found (index $found "keys")) -}}
    {{- $client := randAlphaNum 40 -}}
    {{- $metrics := randAlphaNum 40 -}}
    {{- $found = dict "api-key" ($client | b64enc) "metrics-key" ($metrics | b64enc)
          "keys" (printf "%s,%s" $client $metrics | b64enc) -}}
  {{- end -}}
  {{- $_ := set .Values.api.auth "made" $found -}}
{{- end -}}
{{- toYaml .Values.api.auth.made -}}
{{- end -}}

{{- define "millrace.api.keysChecksum" -}}
{{- if .Values.api.auth.existingSecret -}}
{{- (lookup "v1" "Secret" .Release.Namespace .Values.api.auth.existingSecret).data | toJson | sha256sum -}}
{{- else -}}
{{- include "millrace.api.keysData" . | sha256sum -}}
{{- end -}}
{{- end -}}
