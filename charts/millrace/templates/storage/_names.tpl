{{/* Where objects are: external, minio or seaweedfs. */}}
{{- define "millrace.storage.kind" -}}
{{- if .Values.storage.external.enabled -}}
external
{{- else -}}
{{- .Values.storage.minio.enabled | ternary "minio" "seaweedfs" -}}
{{- end -}}
{{- end -}}

{{/*
What each component may do in SeaweedFS, as JSON {component: [action:bucket/prefix*]}, from files/rights.yaml, which the
Python package writes. Who only asks has no right to write; nobody may make buckets.
*/}}
{{- define "millrace.seaweedfs.actions" -}}
{{- $names := .Values.storage.buckets -}}
{{- $found := dict -}}
{{- range $component, $rights := .Files.Get "files/rights.yaml" | fromYaml -}}
{{- $actions := list -}}
{{- range $rights.buckets }}{{ $actions = append $actions (printf "List:%s" (get $names .)) }}{{ end -}}
{{- range $verb, $places := dict "Read" $rights.read "Write" $rights.write -}}
{{- range $bucket, $prefixes := $places -}}
{{- range $prefixes }}{{ $actions = append $actions (printf "%s:%s/%s*" $verb (get $names $bucket) .) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $found $component $actions -}}
{{- end -}}
{{- range .Values.ingest.jobs -}}
{{- if hasPrefix "s3://" (.source | default "") -}}
{{- $bucket := .source | trimPrefix "s3://" | splitList "/" | first -}}
{{- $_ := set $found "ingest" (concat (get $found "ingest") (list (printf "List:%s" $bucket) (printf "Read:%s" $bucket)) | uniq) -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}
