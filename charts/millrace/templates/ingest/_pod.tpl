{{/* The pod template of an ingest: (dict "root" $ "job" <entry of ingest.jobs>). */}}
{{- define "millrace.ingest.pod" -}}
{{- $root := .root -}}
{{- $job := .job -}}
{{- $file := "/data/records.csv" -}}
metadata:
  labels:
    {{- include "millrace.podLabels" (dict "root" $root "component" "ingest") | nindent 4 }}
    millrace.io/ingest: {{ $job.name }}
spec:
  restartPolicy: Never
  serviceAccountName: {{ include "millrace.fullname" $root }}-ingest
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- include "millrace.imagePullSecrets" $root | nindent 2 }}
  securityContext: {{- include "millrace.podSecurity" (dict "root" $root "user" 10001) | nindent 4 }}
  # An ingest that is told to end stops reading, and then waits for the acknowledgement of what it has read.
  terminationGracePeriodSeconds: 60
  {{- include "millrace.scheduling" $root.Values.ingest.scheduling | nindent 2 }}
  {{- if $job.generate }}
  initContainers:
    - name: generate
      {{- include "millrace.ingest.container" $root | nindent 6 }}
      args:
        - generate
        - {{ $job.workload }}
        - --rows={{ $job.generate.rows | int64 }}
        - --seed={{ $job.generate.seed | default 7 | int64 }}
        - --out={{ $file }}
      env:
        {{- include "millrace.env" (dict "root" $root) | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: data, mountPath: /data}
  {{- end }}
  containers:
    - name: ingest
      {{- include "millrace.ingest.container" $root | nindent 6 }}
      args:
        - ingest
        - {{ $job.workload }}
        - {{ empty $job.generate | ternary $job.source $file | quote }}
        {{- with $job.rate }}
        - --rate={{ . }}
        {{- end }}
        {{- if $job.randomPauses }}
        - --random-pauses
        {{- end }}
        {{- with $job.limit }}
        - --limit={{ . | int64 }}
        {{- end }}
        {{- with $job.args }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        - --json
      env:
        {{- include "millrace.env" (dict "root" $root "component" "ingest" "kafka" true "s3" (hasPrefix "s3://" ($job.source | default ""))) | nindent 8 }}
        {{- with $job.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- include "millrace.kafkaVolumeMounts" $root | nindent 8 }}
        {{- if or $job.generate $job.persistentVolumeClaim $job.configMap }}
        - {name: data, mountPath: /data, readOnly: true}
        {{- end }}
  volumes:
    {{- include "millrace.scratch" (dict "name" "tmp" "size" $root.Values.ingest.tmpSize) | nindent 4 }}
    {{- include "millrace.kafkaVolumes" $root | nindent 4 }}
    {{- if $job.generate }}
    {{- include "millrace.scratch" (dict "name" "data" "size" $root.Values.ingest.dataSize) | nindent 4 }}
    {{- else if $job.persistentVolumeClaim }}
    - name: data
      persistentVolumeClaim: {claimName: {{ $job.persistentVolumeClaim }}, readOnly: true}
    {{- else if $job.configMap }}
    - name: data
      configMap: {name: {{ $job.configMap }}}
    {{- end }}
{{- end -}}

{{- define "millrace.ingest.container" -}}
image: {{ include "millrace.image" (dict "root" . "component" "ingest") }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext: {{- include "millrace.containerSecurity" . | nindent 2 }}
resources: {{- toYaml .Values.ingest.resources | nindent 2 }}
{{- end -}}

{{/* The spec of a Job: (dict "root" $ "job" <entry>). */}}
{{- define "millrace.ingest.spec" -}}
# An ingest that was cut off is run again: training reads each record once, and a source that is whole is recognised.
backoffLimit: {{ .root.Values.ingest.backoffLimit }}
{{- with .root.Values.ingest.ttlSecondsAfterFinished }}
ttlSecondsAfterFinished: {{ . | int64 }}
{{- end }}
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions:
        - {type: DisruptionTarget, status: "True"}
    # Bad input and corrupt data stay what they are, however often they are read.
    - action: FailJob
      onExitCodes: {containerName: ingest, operator: In, values: [2, 4]}
template: {{- include "millrace.ingest.pod" . | nindent 2 }}
{{- end -}}
