{{/*
A NetworkPolicy for pods of ours: (dict "root" $ "component" <component> "egress" <rules as text> "ingress" <the same>).
What is not given is denied.
*/}}
{{- define "millrace.policy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "millrace.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "millrace.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- .pods | default (include "millrace.selectorLabels" .) | nindent 6 }}
  policyTypes: {{ .types | default "[Ingress, Egress]" }}
  {{- with .ingress }}
  ingress: {{- . | trim | nindent 4 }}
  {{- end }}
  {{- with .egress }}
  egress: {{- . | trim | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* The Kubernetes API. It is no pod, so only its address can be named. */}}
{{- define "millrace.egress.kubernetes" -}}
- to:
    {{- range .Values.networkPolicy.apiServer.cidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    {{- range .Values.networkPolicy.apiServer.ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end -}}

{{/* Pods by their labels: (dict "pods" <labels as text> "ports" (list ..)). */}}
{{- define "millrace.egress.pods" -}}
- to:
    - podSelector:
        matchLabels: {{- .pods | nindent 10 }}
  ports:
    {{- range .ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end -}}
