{{/*
The environment of our containers: a list, to be put below `env:`.

  include "millrace.env" (dict "root" $ "component" "api" "kafka" true "s3" true "catalog" true)

`component` names the Kafka user; `workloads` are those that it needs to know, by default all that are chosen. Parts
that are not asked for are left out, so a pod holds no secret that it does not need. Passwords are references to
secrets, never text.
*/}}
{{- define "millrace.env" -}}
- name: MILLRACE_HOME
  value: /tmp/millrace
{{- with .workloads | default .root.Values.workloads }}
- name: MILLRACE_WORKLOADS
  value: {{ join "," . | quote }}
{{- end }}
{{- if .kafka }}
{{ include "millrace.env.kafka" . }}
{{- end }}
{{- if .s3 }}
{{ include "millrace.env.s3" . }}
{{- end }}
{{- if .catalog }}
{{ include "millrace.env.catalog" .root }}
{{- end }}
{{- end -}}

{{- define "millrace.env.kafka" -}}
{{- $kafka := .root.Values.kafka -}}
- name: MILLRACE_KAFKA_BOOTSTRAP
  value: {{ include "millrace.kafka.bootstrap" .root | quote }}
- name: MILLRACE_KAFKA_SECURITY_PROTOCOL
  value: {{ include "millrace.kafka.protocol" .root }}
{{- with include "millrace.kafka.mechanism" .root }}
- name: MILLRACE_KAFKA_SASL_MECHANISM
  value: {{ . }}
{{- if ne . "AWS_MSK_IAM" }}
{{ include "millrace.env.kafkaLogin" $ }}
{{- end }}
{{- end }}
{{- if include "millrace.kafka.caSecret" .root }}
- name: MILLRACE_KAFKA_CA_FILE
  value: /etc/millrace/kafka/ca.crt
{{- end }}
- name: MILLRACE_KAFKA_REPLICATION
  value: {{ $kafka.replicationFactor | quote }}
- name: MILLRACE_KAFKA_PARTITIONS
  value: {{ $kafka.partitions | quote }}
- name: MILLRACE_KAFKA_RETENTION_DAYS
  value: {{ $kafka.retentionDays | quote }}
{{- end -}}

{{/* A user per component in our own Kafka; one user for all in somebody else's. */}}
{{- define "millrace.env.kafkaLogin" -}}
{{- $external := .root.Values.kafka.external -}}
{{- $user := printf "%s-%s" (include "millrace.fullname" .root) .component -}}
- name: MILLRACE_KAFKA_USERNAME
  value: {{ ternary $external.username $user $external.enabled | quote }}
- name: MILLRACE_KAFKA_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ ternary $external.existingSecret $user $external.enabled }}
      key: password
{{- end -}}

{{- define "millrace.env.s3" -}}
- name: MILLRACE_S3_ENDPOINT
  value: {{ include "millrace.storage.endpoint" .root | quote }}
- name: MILLRACE_S3_REGION
  value: {{ include "millrace.storage.region" .root | quote }}
- name: MILLRACE_LAKE_BUCKET
  value: {{ .root.Values.storage.buckets.lake }}
- name: MILLRACE_MODELS_BUCKET
  value: {{ .root.Values.storage.buckets.models }}
- name: MILLRACE_VERSION_BUDGET
  value: {{ .root.Values.storage.versionBudget | int64 | quote }}
{{- with include "millrace.storage.secret" . }}
- name: MILLRACE_S3_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: access-key
- name: MILLRACE_S3_SECRET_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: secret-key
{{- end }}
{{- end -}}

{{- define "millrace.env.catalog" -}}
- name: MILLRACE_CATALOG_JDBC
  value: {{ include "millrace.catalog.jdbc" (dict "root" . "folder" "/etc/millrace/catalog") | quote }}
- name: MILLRACE_CATALOG_USER
  value: {{ include "millrace.catalog.user" . | quote }}
- name: MILLRACE_CATALOG_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "millrace.catalog.secret" . }}
      key: password
{{- end -}}

{{/* The brokers' CA as a volume and its mount: list items, empty where a public CA is used. */}}
{{- define "millrace.kafkaVolumes" -}}
{{- $root := default . .root -}}
{{- with include "millrace.kafka.caSecret" $root -}}
- name: kafka-ca
  secret:
    secretName: {{ . }}
    items:
      - key: ca.crt
        path: ca.crt
{{- end -}}
{{- end -}}

{{- define "millrace.kafkaVolumeMounts" -}}
{{- $root := default . .root -}}
{{- if include "millrace.kafka.caSecret" $root -}}
- name: kafka-ca
  mountPath: /etc/millrace/kafka
  readOnly: true
{{- end -}}
{{- end -}}

{{/* The authority of the catalog's certificate, in the same way; empty where none is asked for. */}}
{{- define "millrace.catalogVolumes" -}}
{{- with include "millrace.catalog.caSecret" . -}}
- name: catalog-ca
  secret:
    secretName: {{ . }}
    items:
      - key: ca.crt
        path: ca.crt
{{- end -}}
{{- end -}}

{{- define "millrace.catalogVolumeMounts" -}}
{{- if include "millrace.catalog.caSecret" . -}}
- name: catalog-ca
  mountPath: /etc/millrace/catalog
  readOnly: true
{{- end -}}
{{- end -}}
