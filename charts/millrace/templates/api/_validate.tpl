{{- define "millrace.validate.api" -}}
{{- $api := .Values.api -}}
{{- $scaling := $api.autoscaling -}}
{{- $grace := int $api.drain.graceSeconds -}}
{{- $pause := int $api.drain.preStopSeconds -}}
{{- if and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- fail (printf "api.autoscaling.minReplicas is %d and api.autoscaling.maxReplicas is %d: the fewest pods can't be more than the most." (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- end -}}
{{- if and $scaling.enabled (gt (float64 $scaling.requestsPerSecond) 0.0) (not .Values.monitoring.serviceMonitor.enabled) -}}
{{- fail (printf "api.autoscaling.requestsPerSecond is %v and monitoring.serviceMonitor.enabled is false: nobody counts the requests." $scaling.requestsPerSecond) -}}
{{- end -}}
{{- $budget := $api.podDisruptionBudget -}}
{{- $pods := $scaling.enabled | ternary $scaling.minReplicas $api.replicas | int -}}
{{- $value := $scaling.enabled | ternary "api.autoscaling.minReplicas" "api.replicas" -}}
{{- if and $api.enabled $budget.enabled (not (kindIs "string" $budget.minAvailable)) (ge (int $budget.minAvailable) $pods) -}}
{{- fail (printf "api.podDisruptionBudget.minAvailable is %d and %s is %d: no node could ever be drained. Allow fewer, or set api.podDisruptionBudget.enabled to false." (int $budget.minAvailable) $value $pods) -}}
{{- end -}}
{{- if lt $grace (add $pause 20 | int) -}}
{{- fail (printf "api.drain.graceSeconds is %d and api.drain.preStopSeconds is %d: requests in flight have 20 seconds after the pause, so at least %d are needed." $grace $pause (add $pause 20 | int)) -}}
{{- end -}}
{{- if and (eq $api.service.type "ClusterIP") (gt (int $api.service.nodePort) 0) -}}
{{- fail (printf "api.service.type is ClusterIP and api.service.nodePort is %d: only NodePort and LoadBalancer have one." (int $api.service.nodePort)) -}}
{{- end -}}
{{- if and $api.auth.existingSecret (not $api.auth.enabled) -}}
{{- fail (printf "api.auth.existingSecret is %q and api.auth.enabled is false: the keys would not be asked for." $api.auth.existingSecret) -}}
{{- end -}}
{{- end -}}
