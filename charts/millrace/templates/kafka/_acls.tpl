{{/*
What each component may do in Kafka, and nothing else. Consumers of ours have no group: they read whole topics.
*/}}

{{/* (dict "type" "topic" "names" (list ..) "operations" (list ..) ["pattern" "prefix"]) */}}
{{- define "millrace.acl" -}}
{{- range .names }}
- resource:
    type: {{ $.type }}
    name: {{ . }}
    patternType: {{ default "literal" $.pattern }}
  operations: {{ toJson $.operations }}
{{- end }}
{{- end -}}

{{/* The topics of the chosen workloads with that ending: (dict "root" $ "ending" ".records"), as JSON. */}}
{{- define "millrace.topicsEnding" -}}
{{- $found := list -}}
{{- range include "millrace.topics" .root | fromJsonArray -}}
{{- if and (hasSuffix $.ending .name) (ne .name "connect.rejected") -}}
{{- $found = append $found .name -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{- define "millrace.acls.ingest" -}}
{{- $records := include "millrace.topicsEnding" (dict "root" . "ending" ".records") | fromJsonArray -}}
{{- $rejected := include "millrace.topicsEnding" (dict "root" . "ending" ".rejected") | fromJsonArray -}}
{{- include "millrace.acl" (dict "type" "topic" "names" $records "operations" (list "Describe" "Write")) }}
{{- include "millrace.acl" (dict "type" "topic" "names" (concat $rejected (list "ingest.receipts")) "operations" (list "Describe" "Read" "Write")) }}
{{- include "millrace.acl" (dict "type" "topic" "names" (list "connect.rejected") "operations" (list "Describe" "Read")) }}
{{- end -}}

{{/*
Kafka Connect: its own group and three topics; and for the Iceberg sink (1.12) the workloads' topics, the control
topic, the groups connect-lake-<workload>[-coord] and cg-control-<uuid>, and transactions, whose ids begin with
the prefix that the connector is given.
*/}}
{{- define "millrace.acls.connect" -}}
{{- $own := list "connect.configs" "connect.offsets" "connect.status" -}}
{{- $records := include "millrace.topicsEnding" (dict "root" . "ending" ".records") | fromJsonArray -}}
{{- include "millrace.acl" (dict "type" "topic" "names" $own "operations" (list "Create" "Describe" "DescribeConfigs" "Read" "Write")) }}
{{- include "millrace.acl" (dict "type" "group" "names" (list "millrace-connect") "operations" (list "Describe" "Read")) }}
{{- include "millrace.acl" (dict "type" "topic" "names" $records "operations" (list "Describe" "Read")) }}
{{- include "millrace.acl" (dict "type" "topic" "names" (list "connect.rejected") "operations" (list "Describe" "Write")) }}
{{- include "millrace.acl" (dict "type" "topic" "names" (list "lake.control") "operations" (list "Describe" "Read" "Write")) }}
{{- include "millrace.acl" (dict "type" "group" "names" (list "connect-lake-" "cg-control-") "operations" (list "Describe" "Read") "pattern" "prefix") }}
{{- include "millrace.acl" (dict "type" "transactionalId" "names" (list "lake-") "operations" (list "Describe" "Write") "pattern" "prefix") }}
{{- end -}}

{{/* The API answers from the registry; of Kafka it may know only that it is there. */}}
{{- define "millrace.acls.api" -}}
{{- $records := include "millrace.topicsEnding" (dict "root" . "ending" ".records") | fromJsonArray -}}
{{- include "millrace.acl" (dict "type" "topic" "names" $records "operations" (list "Describe")) }}
{{- end -}}

{{/* Trainings read the lake; a gap in its offsets may be explained by the dead letters. */}}
{{- define "millrace.acls.train" -}}
{{- $records := include "millrace.topicsEnding" (dict "root" . "ending" ".records") | fromJsonArray -}}
{{- include "millrace.acl" (dict "type" "topic" "names" $records "operations" (list "Describe")) }}
{{- include "millrace.acl" (dict "type" "topic" "names" (list "connect.rejected") "operations" (list "Describe" "Read")) }}
{{- end -}}

{{/* Looks at every topic and group of ours, for `millrace doctor`; the topics themselves are KafkaTopics. */}}
{{- define "millrace.acls.provision" -}}
{{- $topics := list -}}
{{- range include "millrace.topics" . | fromJsonArray -}}
{{- $topics = append $topics .name -}}
{{- end -}}
{{- include "millrace.acl" (dict "type" "topic" "names" $topics "operations" (list "Describe" "DescribeConfigs")) }}
{{- include "millrace.acl" (dict "type" "topic" "names" (list "connect.rejected") "operations" (list "Read")) }}
{{- include "millrace.acl" (dict "type" "group" "names" (list "connect-lake-") "operations" (list "Describe") "pattern" "prefix") }}
{{- end -}}
