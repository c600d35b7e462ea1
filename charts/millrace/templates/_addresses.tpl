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

{{/*
The catalog's address for a pod that has the authority of its certificate below a folder: (dict "root" $ "folder" ..).
With an authority the server must prove by its certificate that it is the one that was named.
*/}}
{{- define "millrace.catalog.jdbc" -}}
{{- $external := .root.Values.catalog.external -}}
{{- if not $external.enabled -}}
{{- printf "jdbc:postgresql://%s-catalog:5432/iceberg" (include "millrace.fullname" .root) -}}
{{- else if $external.caSecret -}}
{{- $mark := contains "?" $external.jdbc | ternary "&" "?" -}}
{{- printf "%s%ssslmode=verify-full&sslrootcert=%s/ca.crt" $external.jdbc $mark .folder -}}
{{- else -}}
{{- $external.jdbc -}}
{{- end -}}
{{- end -}}

{{/* The secret with the authority that signed the catalog's certificate; empty where none is asked for. */}}
{{- define "millrace.catalog.caSecret" -}}
{{- if .Values.catalog.external.enabled }}{{ .Values.catalog.external.caSecret }}{{ end -}}
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
{{- printf "http://%s-%s:%s" (include "millrace.fullname" .) (include "millrace.storage.kind" .) (include "millrace.storage.port" .) -}}
{{- end -}}
{{- end -}}

{{- define "millrace.storage.region" -}}
{{- if .Values.storage.external.enabled }}{{ .Values.storage.external.region }}{{ else }}us-east-1{{ end -}}
{{- end -}}

{{/* The port of the object storage in the cluster. */}}
{{- define "millrace.storage.port" -}}
{{- eq (include "millrace.storage.kind" .) "minio" | ternary "9000" "8333" -}}
{{- end -}}

{{/*
The secret with a component's access-key and secret-key: (dict "root" $ "component" "api"). Empty where the service
account itself is known (AWS). MinIO has one login for all.
*/}}
{{- define "millrace.storage.secret" -}}
{{- $storage := .root.Values.storage -}}
{{- $kind := include "millrace.storage.kind" .root -}}
{{- if eq $kind "external" -}}
{{- get $storage.external.secrets .component | default $storage.external.existingSecret -}}
{{- else if eq $kind "minio" -}}
{{- default (printf "%s-s3" (include "millrace.fullname" .root)) $storage.minio.existingSecret -}}
{{- else -}}
{{- printf "%s-s3-%s" (include "millrace.fullname" .root) .component -}}
{{- end -}}
{{- end -}}
