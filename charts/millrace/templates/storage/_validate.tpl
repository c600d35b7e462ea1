{{/* Objects are where they were: a release never begins an empty store beside one that it has filled. */}}
{{- define "millrace.validate.storageKept" -}}
{{- $kind := include "millrace.storage.kind" . -}}
{{- range $other, $enabled := dict "minio" "true" "seaweedfs" "false" -}}
{{- if and (ne $kind "external") (ne $kind $other) -}}
{{- $name := printf "%s-%s" (include "millrace.fullname" $) $other -}}
{{- if lookup "apps/v1" "StatefulSet" $.Release.Namespace $name -}}
{{- fail (printf "The objects of this release are in %s, and storage.minio.enabled is %t: set it to %s to go on with them; charts/millrace/README.md says how they are moved." $name $.Values.storage.minio.enabled $enabled) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
