{{/* Whom Spark's pods reach: (dict "root" $ "component" "training"|"stream" "policy" <values.networkPolicy>). */}}
{{- define "millrace.spark.networkPolicy" -}}
{{- $args := dict "root" .root "component" .component }}
{{- $policy := .policy }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "millrace.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "millrace.labels" $args | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "millrace.selectorLabels" $args | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - podSelector:
            matchLabels: {{- include "millrace.selectorLabels" $args | nindent 14 }}
      ports:
        - {protocol: TCP, port: 7078}
        - {protocol: TCP, port: 7079}
    {{- with $policy.metricsFrom }}
    - from: {{- toYaml . | nindent 8 }}
      ports:
        - {protocol: TCP, port: 4040}
        {{- if eq $.component "stream" }}
        - {protocol: TCP, port: {{ include "millrace.metricsPort" $ }}}
        {{- end }}
    {{- end }}
  egress:
    {{- include "millrace.egress.dns" .root | nindent 4 }}
    {{- include "millrace.egress.s3" .root | nindent 4 }}
    {{- include "millrace.egress.catalog" .root | nindent 4 }}
    {{- include "millrace.egress.kafka" .root | nindent 4 }}
    # Driver and executors among themselves.
    - to:
        - podSelector:
            matchLabels: {{- include "millrace.selectorLabels" $args | nindent 14 }}
      ports:
        - {protocol: TCP, port: 7078}
        - {protocol: TCP, port: 7079}
    # The Kubernetes API, from which the driver gets its executors.
    {{- include "millrace.egress.kubernetes" .root | nindent 4 }}
    {{- with $policy.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
