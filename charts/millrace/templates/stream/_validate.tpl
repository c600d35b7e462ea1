{{- define "millrace.validate.stream" -}}
{{- $known := include "millrace.workloads" . | fromJson -}}
{{- $having := include "millrace.workloadsHaving" (dict "root" . "having" "pages") | fromJsonArray -}}
{{- range .Values.stream.workloads -}}
{{- if not (hasKey $known .) -}}
{{- fail (printf "stream.workloads names %q and the workloads are [%s]: choose it in workloads, or take it out." . (keys $known | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if not (has . $having) -}}
{{- fail (printf "stream.workloads names %q and those with pages are [%s]: only pages are scored as they arrive." . (join ", " $having)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.stream.workloads (not .Values.stream.enabled) -}}
{{- fail (printf "stream.workloads is [%s] and stream.enabled is false: enable it, or empty the list." (join ", " .Values.stream.workloads)) -}}
{{- end -}}
{{- end -}}
