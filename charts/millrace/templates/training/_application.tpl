{{/*
The spec of a SparkApplication: (dict "root" $ "component" "training"|"stream" "name" <of the resource>
"main" "train.py" "arguments" <list> "of" <training's values, with those of the workload over them> "workloads" <list>).
It knows only those workloads, so that another choice of `workloads` does not run it again.

Environment, volumes and security contexts are put into the pods by the operator's webhook, which its chart has on.
*/}}
{{- define "millrace.spark.application" -}}
{{- $root := .root -}}
{{- $of := .of -}}
type: Python
mode: cluster
sparkVersion: {{ $of.sparkVersion | quote }}
pythonVersion: "3"
image: {{ include "millrace.image" (dict "root" $root "component" "spark") }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
mainApplicationFile: local:///opt/millrace/spark-apps/{{ .main }}
arguments: {{- toYaml .arguments | nindent 2 }}
restartPolicy:
  {{- if eq .component "stream" }}
  # It goes on where it was, and is never done. The operator waits for so long times the attempts since a submission.
  type: Always
  {{- else }}
  # A training reads one snapshot and publishes under a new version: to run it again is always safe. Unset means 0.
  type: OnFailure
  onFailureRetries: {{ $of.restart.retries }}
  onSubmissionFailureRetries: {{ $of.restart.submissionRetries }}
  {{- end }}
  onFailureRetryInterval: {{ $of.restart.retrySeconds }}
  onSubmissionFailureRetryInterval: {{ $of.restart.submissionRetrySeconds }}
{{- with $of.timeToLiveSeconds }}
timeToLiveSeconds: {{ . | int64 }}
{{- end }}
{{- $dynamic := $of.dynamicAllocation | default dict }}
{{- if $dynamic.enabled }}
dynamicAllocation:
  enabled: true
  initialExecutors: {{ $dynamic.initialExecutors }}
  minExecutors: {{ $dynamic.minExecutors }}
  maxExecutors: {{ $dynamic.maxExecutors }}
  # An executor that goes hands its shuffle files on; with both, idle ones would be kept for their files.
  shuffleTrackingEnabled: false
{{- end }}
sparkConf: {{- include "millrace.spark.conf" . | nindent 2 }}
volumes:
  {{- include "millrace.scratch" (dict "name" "tmp" "size" $of.tmpSize) | nindent 2 }}
  {{- include "millrace.scratch" (dict "name" "work" "size" $of.tmpSize) | nindent 2 }}
  # Spark takes every volume of this name for shuffle and spill.
  {{- include "millrace.scratch" (dict "name" "spark-local-dir-1" "size" $of.localDirSize) | nindent 2 }}
  {{- include "millrace.kafkaVolumes" $root | nindent 2 }}
  {{- include "millrace.catalogVolumes" $root | nindent 2 }}
driver:
  {{- include "millrace.spark.pod" (dict "root" $root "component" .component "role" "driver" "of" $of.driver "workloads" .workloads) | nindent 2 }}
executor:
  {{- if not $dynamic.enabled }}
  instances: {{ $of.executor.instances }}
  {{- end }}
  {{- include "millrace.spark.pod" (dict "root" $root "component" .component "role" "executor" "of" $of.executor) | nindent 2 }}
  deleteOnTermination: true
{{- end -}}

{{/*
Driver or executor: (dict "root" $ "component" "training"|"stream" "role" "driver"|"executor" "of" <its values>).
A stream's executors read and write Kafka; its driver serves numbers of its own.
*/}}
{{- define "millrace.spark.pod" -}}
{{- $of := .of -}}
{{- $driver := eq .role "driver" -}}
{{- $stream := eq .component "stream" -}}
cores: {{ $of.cores }}
coreRequest: {{ $of.coreRequest | quote }}
coreLimit: {{ $of.coreLimit | quote }}
memory: {{ $of.memory | quote }}
memoryOverhead: {{ $of.memoryOverhead | quote }}
javaOptions: {{ printf "-Djava.io.tmpdir=/tmp -Dderby.system.home=/tmp %s" $of.javaOptions | trim | quote }}
serviceAccount: {{ include "millrace.spark.serviceAccount" . }}
labels:
  {{- include "millrace.podLabels" (dict "root" .root "component" .component) | nindent 2 }}
{{- with $of.annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if and $stream $driver }}
ports:
  - {name: metrics, containerPort: {{ include "millrace.metricsPort" . }}, protocol: TCP}
{{- end }}
env:
  {{- if $driver }}
  # Of Kafka a training reads the dead letters, which may explain a gap in the offsets.
  {{- $user := $stream | ternary "stream" "train" }}
  {{- include "millrace.env" (dict "root" .root "component" $user "kafka" true "s3" true "catalog" true "workloads" .workloads) | nindent 2 }}
  {{- if $stream }}
  - {name: MILLRACE_METRICS_HOST, value: "0.0.0.0"}
  - {name: MILLRACE_METRICS_PORT, value: {{ include "millrace.metricsPort" . | quote }}}
  - {name: MILLRACE_STREAM_INTERVAL, value: {{ .root.Values.stream.intervalSeconds | quote }}}
  - {name: MILLRACE_STREAM_ROWS, value: {{ .root.Values.stream.maxOffsetsPerTrigger | int64 | quote }}}
  {{- end }}
  {{- end }}
  {{- include "millrace.spark.env" (dict "root" .root "component" ($stream | ternary "stream" "train")) | nindent 2 }}
podSecurityContext: {{- include "millrace.podSecurity" (dict "root" .root "user" 185) | nindent 2 }}
securityContext: {{- include "millrace.containerSecurity" .root | nindent 2 }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  # The image's working directory, where Spark makes a folder for artifacts.
  - {name: work, mountPath: /opt/spark/work-dir}
  - {name: spark-local-dir-1, mountPath: /var/spark}
  {{- if or $driver $stream }}
  {{- include "millrace.kafkaVolumeMounts" .root | nindent 2 }}
  {{- end }}
  {{- if $driver }}
  {{- include "millrace.catalogVolumeMounts" .root | nindent 2 }}
  {{- end }}
{{- include "millrace.scheduling" $of.scheduling }}
{{- end -}}

{{/* Executors ask Kubernetes for nothing: theirs has no token and no role. */}}
{{- define "millrace.spark.serviceAccount" -}}
{{- $component := eq .component "stream" | ternary "stream" "train" -}}
{{- printf "%s-%s%s" (include "millrace.fullname" .root) $component (eq .role "executor" | ternary "-executor" "") -}}
{{- end -}}

{{/* What a JVM that reads S3 needs, in driver and executors alike. */}}
{{- define "millrace.spark.env" -}}
- {name: AWS_REGION, value: {{ include "millrace.storage.region" .root | quote }}}
{{- with include "millrace.storage.secret" . }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: access-key}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: secret-key}
{{- end }}
{{- end -}}

{{/* Ports are fixed so that a NetworkPolicy can name them; all that is written goes below /tmp and /var/spark. */}}
{{- define "millrace.spark.conf" -}}
{{- $conf := dict
  "spark.driver.port" "7078"
  "spark.driver.blockManager.port" "7079"
  "spark.blockManager.port" "7079"
  "spark.jars.ivy" "/tmp/.ivy2"
  "spark.sql.warehouse.dir" "/tmp/warehouse"
  "spark.ui.prometheus.enabled" "true"
  "spark.decommission.enabled" "true"
  "spark.storage.decommission.enabled" "true" -}}
{{- range $key, $value := .of.sparkConf }}{{ $_ := set $conf $key (toString $value) }}{{ end -}}
{{- toYaml $conf -}}
{{- end -}}

{{/* training's values with those of training.workloads.<name> over them, as JSON: (dict "root" $ "name" "courses"). */}}
{{- define "millrace.training.of" -}}
{{- $own := index (.root.Values.training.workloads | default dict) .name | default dict -}}
{{- mergeOverwrite (deepCopy (omit .root.Values.training "workloads")) (deepCopy $own) | toJson -}}
{{- end -}}
