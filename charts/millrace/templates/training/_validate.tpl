{{- define "millrace.validate.training" -}}
{{- $known := include "millrace.workloads" . | fromJson -}}
{{- range $name, $_ := .Values.training.workloads -}}
{{- if not (hasKey $known $name) -}}
{{- fail (printf "training.workloads names %q and the workloads are [%s]: choose it in workloads, or take it out." $name (keys $known | sortAlpha | join ", ")) -}}
{{- end -}}
{{- end -}}
{{- range $name, $workload := $known -}}
{{- $of := include "millrace.training.of" (dict "root" $ "name" $name) | fromJson -}}
{{- include "millrace.validate.executors" $of.dynamicAllocation -}}
{{- if and $of.follow $of.schedule -}}
{{- fail (printf "training.follow is %q and training.schedule is %q for %s: a training that never ends can't be started by a clock. Choose one." $of.follow $of.schedule $name) -}}
{{- end -}}
{{- range $model := $of.models -}}
{{- if and $workload.models (not (has $model $workload.models)) -}}
{{- fail (printf "training.models names %q and %s has [%s]: put models below training.workloads.%s." $model $name (join ", " $workload.models) $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "millrace.validate.executors" -}}
{{- if .enabled -}}
{{- if gt (int .minExecutors) (int .maxExecutors) -}}
{{- fail (printf "training.dynamicAllocation.minExecutors is %d and training.dynamicAllocation.maxExecutors is %d: the fewest can't be more than the most." (int .minExecutors) (int .maxExecutors)) -}}
{{- end -}}
{{- if or (lt (int .initialExecutors) (int .minExecutors)) (gt (int .initialExecutors) (int .maxExecutors)) -}}
{{- fail (printf "training.dynamicAllocation.initialExecutors is %d and minExecutors and maxExecutors are %d and %d: the start must lie between them." (int .initialExecutors) (int .minExecutors) (int .maxExecutors)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
