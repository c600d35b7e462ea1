{{- define "millrace.validate.ingress" -}}
{{- $ingress := .Values.ingress -}}
{{- if and $ingress.enabled (not $ingress.hosts) -}}
{{- fail "ingress.enabled is true and ingress.hosts is empty: name the host that leads to the API." -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}
{{- fail "gateway.enabled is true and gateway.parentRefs is empty: name the Gateway that the route belongs to." -}}
{{- end -}}
{{- range $name, $on := dict "ingress" $ingress.enabled "gateway" .Values.gateway.enabled -}}
{{- if and $on (not $.Values.api.enabled) -}}
{{- fail (printf "%s.enabled is true and api.enabled is false: there is nothing to lead to." $name) -}}
{{- end -}}
{{- end -}}
{{- range $tls := $ingress.tls -}}
{{- range $host := $tls.hosts -}}
{{- if not (has $host $ingress.hosts) -}}
{{- fail (printf "ingress.tls names the host %q and ingress.hosts is [%s]: the certificate would never be shown." $host (join ", " $ingress.hosts)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
