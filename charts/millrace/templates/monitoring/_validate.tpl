{{- define "millrace.validate.monitoring" -}}
{{- $monitoring := .Values.monitoring -}}
{{- $known := keys (.Files.Get "files/alerts.yaml" | fromYaml).alerts -}}
{{- range $monitoring.alerts.disabled -}}
{{- if not (has . $known) -}}
{{- fail (printf "monitoring.alerts.disabled names %q and the alerts are [%s]." . (sortAlpha $known | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- if and $monitoring.podMonitor.enabled (eq (include "millrace.measured" .) "{}") (eq (include "millrace.followers" .) "{}") (not .Values.training.enabled) -}}
{{- fail "monitoring.podMonitor.enabled is true and kafka.metrics, kafka.exporter.enabled, connect.metrics, stream.enabled, online.enabled and training.enabled are false: there would be nothing to scrape." -}}
{{- end -}}
{{- if and $monitoring.serviceMonitor.enabled (not .Values.api.enabled) -}}
{{- fail "monitoring.serviceMonitor.enabled is true and api.enabled is false: there would be nothing to scrape." -}}
{{- end -}}
{{- if and $monitoring.alerts.enabled (not (or $monitoring.serviceMonitor.enabled $monitoring.podMonitor.enabled)) -}}
{{- fail "monitoring.alerts.enabled is true and both monitoring.serviceMonitor.enabled and monitoring.podMonitor.enabled are false: there would be no numbers to watch." -}}
{{- end -}}
{{- end -}}
