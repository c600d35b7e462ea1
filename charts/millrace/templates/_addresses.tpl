{{/*
Where Kafka, catalog and object storage are, in the cluster or outside, and which secrets open them.
All take the root context.
*/}}

{{- define "millrace.kafka.bootstrap" -}}
{{- if .Values.kafka.external.enabled -}}
{{- .Values.kafka.external.bootstrap -}}
{{- else -}}
{{- printf "%s-kafka-bootstrap:9093" (include "millrace.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "millrace.kafka.protocol" -}}
{{- if .Values.kafka.external.enabled }}{{ .Values.kafka.external.securityProtocol }}{{ else }}SASL_SSL{{ end -}}
{{- end -}}

{{/* Empty where the protocol has no login. */}}
{{- define "millrace.kafka.mechanism" -}}
{{- if not .Values.kafka.external.enabled -}}
SCRAM-SHA-512
{{- else if hasPrefix "SASL_" .Values.kafka.external.securityProtocol -}}
{{- .Values.kafka.external.saslMechanism -}}
{{- end -}}
{{- end -}}

{{/* The secret with the brokers' CA (key ca.crt); empty where a public CA signed their certificates. */}}
{{- define "millrace.kafka.caSecret" -}}
{{- if .Values.kafka.external.enabled }}{{ .Values.kafka.external.caSecret -}}
{{- else }}{{ include "millrace.fullname" . }}-cluster-ca-cert{{ end -}}
{{- end -}}

{{- define "millrace.catalog.jdbc" -}}
{{- if .Values.catalog.external.enabled -}}
{{- .Values.catalog.external.jdbc -}}
{{- else -}}
{{- printf "jdbc:postgresql://%s-catalog:5432/iceberg" (include "millrace.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "millrace.catalog.user" -}}
{{- if .Values.catalog.external.enabled }}{{ .Values.catalog.external.user }}{{ else }}iceberg{{ end -}}
{{- end -}}

{{/* The secret with the catalog's password (key password). */}}
{{- define "millrace.catalog.secret" -}}
{{- if .Values.catalog.external.enabled -}}
{{- .Values.catalog.external.existingSecret -}}
{{- else -}}
{{- default (printf "%s-catalog" (include "millrace.fullname" .)) .Values.catalog.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* Empty means AWS itself. */}}
{{- define "millrace.storage.endpoint" -}}
{{- if .Values.storage.external.enabled -}}
{{- .Values.storage.external.endpoint -}}
{{- else -}}
{{- printf "http://%s-minio:9000" (include "millrace.fullname" .) -}}
{{- end -}}
{{- end -}}

{{- define "millrace.storage.region" -}}
{{- if .Values.storage.external.enabled }}{{ .Values.storage.external.region }}{{ else }}us-east-1{{ end -}}
{{- end -}}

{{/* The secret with access-key and secret-key; empty where the service account itself is known (AWS). */}}
{{- define "millrace.storage.secret" -}}
{{- if .Values.storage.external.enabled -}}
{{- .Values.storage.external.existingSecret -}}
{{- else -}}
{{- default (printf "%s-s3" (include "millrace.fullname" .)) .Values.storage.minio.existingSecret -}}
{{- end -}}
{{- end -}}
