{{- define "millrace.validate.monitoring" -}}
{{- $monitoring := .Values.monitoring -}}
{{- $known := keys (.Files.Get "files/alerts.yaml" | fromYaml).alerts -}}
{{- range $monitoring.alerts.disabled -}}
{{- if not (has . $known) -}}
{{- fail (printf "monitoring.alerts.disabled names %q and the alerts are [%s]." . (sortAlpha $known | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- if and $monitoring.alerts.enabled (not (or $monitoring.serviceMonitor.enabled $monitoring.podMonitor.enabled)) -}}
{{- fail "monitoring.alerts.enabled is true and both monitoring.serviceMonitor.enabled and monitoring.podMonitor.enabled are false: there would be no numbers to watch." -}}
{{- end -}}
{{- end -}}
