{{/*
The chosen workloads as JSON {name: {models, pages, events, topics, connector}}, from files/workloads.yaml, which the
Python package writes. `include "millrace.workloads" $ | fromJson`
*/}}
{{- define "millrace.workloads" -}}
{{- $known := (.Files.Get "files/workloads.yaml" | fromYaml).workloads -}}
{{- $chosen := dict -}}
{{- range default (keys $known) .Values.workloads -}}
{{- if not (hasKey $known .) -}}
{{- fail (printf "workloads holds %q, which this chart does not know; it knows %s." . (keys $known | sortAlpha | join ", ")) -}}
{{- end -}}
{{- $_ := set $chosen . (get $known .) -}}
{{- end -}}
{{- toJson $chosen -}}
{{- end -}}

{{/* Every topic as a JSON list of {name, partitions, config}: the shared ones and those of the workloads. */}}
{{- define "millrace.topics" -}}
{{- $topics := (.Files.Get "files/workloads.yaml" | fromYaml).topics -}}
{{- range $name, $workload := include "millrace.workloads" . | fromJson -}}
{{- $topics = concat $topics $workload.topics -}}
{{- end -}}
{{- toJson $topics -}}
{{- end -}}

{{/* Names of the chosen workloads as a JSON list, those that have it: (dict "root" $ "having" "pages"|"events"|"live"). */}}
{{- define "millrace.workloadsHaving" -}}
{{- $found := list -}}
{{- range $name, $workload := include "millrace.workloads" .root | fromJson -}}
{{- if or (get $workload $.having) (and (eq $.having "live") (or $workload.pages $workload.events)) -}}
{{- $found = append $found $name -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}
