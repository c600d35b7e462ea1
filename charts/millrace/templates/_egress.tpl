{{/* Rules for `egress:` of a NetworkPolicy, one a neighbour; in the cluster by its pods, outside by its port. */}}

{{- define "millrace.egress.dns" -}}
# Names.
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
  {{- with .Values.networkPolicy.dns }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "millrace.egress.s3" -}}
# Object storage.
{{- if .Values.storage.external.enabled }}
- ports:
    - {protocol: TCP, port: {{ include "millrace.port" (include "millrace.storage.endpoint" . | default "https://aws") }}}
    {{- if not (or .Values.storage.external.existingSecret .Values.storage.external.secrets) }}
    # The agent and the service that give a workload identity its credentials.
    - {protocol: TCP, port: 80}
    {{- if ne (include "millrace.port" (include "millrace.storage.endpoint" . | default "https://aws")) "443" }}
    - {protocol: TCP, port: 443}
    {{- end }}
    {{- end }}
{{- else }}
- to:
    - podSelector:
        matchLabels: {{- include "millrace.selectorLabels" (dict "root" . "component" (include "millrace.storage.kind" .)) | nindent 10 }}
  ports:
    - {protocol: TCP, port: {{ include "millrace.storage.port" . }}}
{{- end }}
{{- end -}}

{{- define "millrace.egress.catalog" -}}
# The catalog's database.
{{- if .Values.catalog.external.enabled }}
- ports:
    - {protocol: TCP, port: {{ include "millrace.port" (trimPrefix "jdbc:" .Values.catalog.external.jdbc) }}}
{{- else }}
- to:
    - podSelector:
        matchLabels: {{- include "millrace.selectorLabels" (dict "root" . "component" "catalog") | nindent 10 }}
  ports:
    - {protocol: TCP, port: 5432}
{{- end }}
{{- end -}}

{{- define "millrace.egress.kafka" -}}
# The brokers.
{{- if .Values.kafka.external.enabled }}
- ports:
    {{- range regexFindAll ":[0-9]+" .Values.kafka.external.bootstrap -1 | uniq }}
    - {protocol: TCP, port: {{ trimPrefix ":" . }}}
    {{- end }}
{{- else }}
- to:
    - podSelector:
        matchLabels:
          strimzi.io/cluster: {{ include "millrace.fullname" . }}
          strimzi.io/kind: Kafka
  ports:
    - {protocol: TCP, port: 9093}
{{- end }}
{{- end -}}

{{/* The port of an address, or that of its scheme. */}}
{{- define "millrace.port" -}}
{{- $ports := dict "http" "80" "https" "443" "postgresql" "5432" -}}
{{- $url := urlParse . -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (get $ports $url.scheme) | default "443" -}}
{{- end -}}
