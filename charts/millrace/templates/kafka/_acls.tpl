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

{{/* Every name of a list with an ending, as JSON: (dict "names" <list> "ending" ".records"). */}}
{{- define "millrace.each" -}}
{{- $found := list -}}
{{- range .names }}{{ $found = append $found (printf "%s%s" . $.ending) }}{{ end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The API writes the events that it is sent and follows what is made of them; of other records it knows the names. */}}
{{- define "millrace.acls.api" -}}
{{- $written := list -}}
{{- $deltas := list -}}
{{- if eq (include "millrace.api.live" .) "true" -}}
{{- $events := include "millrace.workloadsHaving" (dict "root" . "having" "events") | fromJsonArray -}}
{{- $written = include "millrace.each" (dict "names" $events "ending" ".records") | fromJsonArray -}}
{{- $deltas = include "millrace.topicsEnding" (dict "root" . "ending" ".deltas") | fromJsonArray -}}
{{- end -}}
{{- range include "millrace.topicsEnding" (dict "root" . "ending" ".records") | fromJsonArray -}}
{{- $operations := has . $written | ternary (list "Describe" "Write") (list "Describe") -}}
{{- include "millrace.acl" (dict "type" "topic" "names" (list .) "operations" $operations) }}
{{- end }}
{{- include "millrace.acl" (dict "type" "topic" "names" $deltas "operations" (list "Describe" "Read")) }}
{{- end -}}

{{/* The updater reads events, and what it has published before; it has no group, since deltas say how far they are. */}}
{{- define "millrace.acls.online" -}}
{{- $events := include "millrace.onlines" . | fromJsonArray -}}
{{- $records := include "millrace.each" (dict "names" $events "ending" ".records") | fromJsonArray -}}
{{- $deltas := include "millrace.each" (dict "names" $events "ending" ".deltas") | fromJsonArray -}}
{{- include "millrace.acl" (dict "type" "topic" "names" $records "operations" (list "Describe" "Read")) }}
{{- include "millrace.acl" (dict "type" "topic" "names" $deltas "operations" (list "Describe" "Read" "Write")) }}
{{- end -}}

{{/*
The stream reads pages and writes them to the topics of their clusters, where it also looks what it had written before
it was killed. Spark's source reads with groups of this name.
*/}}
{{- define "millrace.acls.stream" -}}
{{- $names := include "millrace.streams" . | fromJsonArray -}}
{{- $records := include "millrace.each" (dict "names" $names "ending" ".records") | fromJsonArray -}}
{{- $deltas := include "millrace.each" (dict "names" $names "ending" ".deltas") | fromJsonArray -}}
{{- $clusters := list -}}
{{- range include "millrace.topics" . | fromJsonArray -}}
{{- $topic := .name -}}
{{- range $names }}{{ if hasPrefix (printf "%s.cluster." .) $topic }}{{ $clusters = append $clusters $topic }}{{ end }}{{ end -}}
{{- end -}}
{{- include "millrace.acl" (dict "type" "topic" "names" $records "operations" (list "Describe" "Read")) }}
{{- include "millrace.acl" (dict "type" "topic" "names" (concat $deltas $clusters) "operations" (list "Describe" "Read" "Write")) }}
{{- include "millrace.acl" (dict "type" "group" "names" (list "spark-kafka-source-") "operations" (list "Describe" "Read") "pattern" "prefix") }}
{{- end -}}

{{/* Trainings read the lake; a gap in its offsets may be explained by the dead letters. */}}
{{- define "millrace.acls.train" -}}
{{- $records := include "millrace.topicsEnding" (dict "root" . "ending" ".records") | fromJsonArray -}}
{{- include "millrace.acl" (dict "type" "topic" "names" $records "operations" (list "Describe")) }}
{{- include "millrace.acl" (dict "type" "topic" "names" (list "connect.rejected") "operations" (list "Describe" "Read")) }}
{{- end -}}

{{/*
Looks at every topic and group of ours, for `millrace doctor`; the topics themselves are KafkaTopics. Lets the sinks'
coordinators begin at an offset of the control topic, which takes the right to read it.
*/}}
{{- define "millrace.acls.provision" -}}
{{- $topics := list -}}
{{- range include "millrace.topics" . | fromJsonArray -}}
{{- $topics = append $topics .name -}}
{{- end -}}
{{- include "millrace.acl" (dict "type" "topic" "names" $topics "operations" (list "Describe" "DescribeConfigs")) }}
{{- include "millrace.acl" (dict "type" "topic" "names" (list "connect.rejected" "lake.control") "operations" (list "Read")) }}
{{- include "millrace.acl" (dict "type" "group" "names" (list "connect-lake-") "operations" (list "Describe" "Read") "pattern" "prefix") }}
{{- end -}}
