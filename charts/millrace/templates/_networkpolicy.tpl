{{/*
Only pods of this release, and Kafka Connect's, may reach the port; the pod itself may only ask the DNS.
(dict "root" $ "component" <component> "port" <number>)
*/}}
{{- define "millrace.oursOnly" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "millrace.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "millrace.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "millrace.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - podSelector:
            matchLabels: {{- include "millrace.selectorLabels" .root | nindent 14 }}
        - podSelector:
            matchLabels: {{- include "millrace.connectPods" .root | nindent 14 }}
      ports:
        - {protocol: TCP, port: {{ .port }}}
  egress:
    {{- include "millrace.egress.dns" .root | nindent 4 }}
{{- end -}}
