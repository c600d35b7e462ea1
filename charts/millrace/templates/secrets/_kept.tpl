{{/*
A secret whose values are made once and then kept: by upgrades, and by an uninstall, because the volumes that
they open are kept too. (dict "root" $ "name" <name> "component" <component> "fixed" {key: text} "made" {key: length})
Where `lookup` finds nothing although the secret exists (helm template, GitOps tools), give an existing secret.
*/}}
{{- define "millrace.keptSecret" -}}
{{- $before := (lookup "v1" "Secret" .root.Release.Namespace .name).data | default dict -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "millrace.labels" (dict "root" .root "component" .component) | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
type: Opaque
data:
  {{- range $key, $text := .fixed }}
  {{ $key }}: {{ get $before $key | default (b64enc $text) }}
  {{- end }}
  {{- range $key, $length := .made }}
  {{ $key }}: {{ get $before $key | default (randAlphaNum (int $length) | b64enc) }}
  {{- end }}
{{- end -}}
