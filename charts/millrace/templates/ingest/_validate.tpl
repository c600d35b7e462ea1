{{- define "millrace.validate.ingest" -}}
{{- $known := include "millrace.workloads" . | fromJson -}}
{{- $names := list -}}
{{- range $job := .Values.ingest.jobs -}}
{{- $at := printf "ingest.jobs[%s]" $job.name -}}
{{- if has $job.name $names -}}
{{- fail (printf "ingest.jobs has two entries with the name %q: each needs its own." $job.name) -}}
{{- end -}}
{{- $names = append $names $job.name -}}
{{- $full := printf "%s-ingest-%s" (include "millrace.fullname" $) $job.name -}}
{{- /* Kubernetes appends 11 characters to a CronJob's name, and we a check sum to a Job's. */ -}}
{{- if gt (len $full) 52 -}}
{{- fail (printf "%s.name and the release's name make %q, which has %d characters: Kubernetes takes 52. Shorten one of them, or set fullnameOverride." $at $full (len $full)) -}}
{{- end -}}
{{- if not (hasKey $known $job.workload) -}}
{{- fail (printf "%s.workload is %q and the workloads are [%s]: choose it in workloads, or take the job out." $at $job.workload (keys $known | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if and $job.source $job.generate -}}
{{- fail (printf "%s.source is %q and .generate is set: a job has one of them." $at $job.source) -}}
{{- end -}}
{{- if not (or $job.source $job.generate) -}}
{{- fail (printf "%s.source is empty and .generate is not set: a job needs one of them." $at) -}}
{{- end -}}
{{- if and $job.persistentVolumeClaim $job.configMap -}}
{{- fail (printf "%s.persistentVolumeClaim is %q and .configMap is %q: only one can be mounted at /data." $at $job.persistentVolumeClaim $job.configMap) -}}
{{- end -}}
{{- $mounted := or $job.persistentVolumeClaim $job.configMap -}}
{{- if and $mounted $job.generate -}}
{{- fail (printf "%s mounts %q at /data and .generate is set: generated records go there." $at $mounted) -}}
{{- end -}}
{{- if and $mounted (not (hasPrefix "/data/" $job.source)) -}}
{{- fail (printf "%s mounts %q at /data and .source is %q: name a file below /data/." $at $mounted $job.source) -}}
{{- end -}}
{{- if and (hasPrefix "/data/" ($job.source | default "")) (not $mounted) -}}
{{- fail (printf "%s.source is %q and neither .persistentVolumeClaim nor .configMap is set: nothing would be there." $at $job.source) -}}
{{- end -}}
{{- if and $job.randomPauses (not $job.rate) -}}
{{- fail (printf "%s.randomPauses is true and .rate is empty: pauses need a rate." $at) -}}
{{- end -}}
{{- if and $job.timeZone (not $job.schedule) -}}
{{- fail (printf "%s.timeZone is %q and .schedule is empty: only a schedule has a time zone." $at $job.timeZone) -}}
{{- end -}}
{{- end -}}
{{- end -}}
