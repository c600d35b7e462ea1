{{/* Helpers of the API, trainings and ingest. */}}

{{/* Labels of a pod of ours: (dict "root" $ "component" "api"). By part-of, storage and catalog know who may ask. */}}
{{- define "millrace.podLabels" -}}
{{ include "millrace.selectorLabels" . }}
app.kubernetes.io/part-of: millrace
{{- end -}}

{{/* Annotations of a service account: those of the storage, with those of `of.serviceAccount` over them. */}}
{{- define "millrace.identity" -}}
{{- $shared := .root.Values.storage.external.serviceAccountAnnotations | default dict -}}
{{- with mergeOverwrite (deepCopy $shared) (.of.serviceAccount.annotations | default dict) -}}
annotations: {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* An emptyDir, with a limit where one is given: (dict "name" .. "size" ..). */}}
{{- define "millrace.scratch" -}}
- name: {{ .name }}
  {{- if .size }}
  emptyDir: {sizeLimit: {{ .size }}}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- end -}}

{{/* Where what follows a stream serves its numbers; the API has them on its own port. */}}
{{- define "millrace.metricsPort" -}}
9090
{{- end -}}
