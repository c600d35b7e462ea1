{{/* The spec of the job. It waits aloud for what is still starting, so that no command has to wait for it. */}}
{{- define "millrace.provision.spec" -}}
{{- $provision := .Values.provision -}}
{{- $args := dict "root" . "component" "provision" -}}
{{- $outside := .Values.kafka.external.enabled -}}
{{- $kafka := or $outside .Values.connect.enabled -}}
backoffLimit: {{ $provision.retries }}
{{- with $provision.deadlineSeconds }}
activeDeadlineSeconds: {{ . }}
{{- end }}
template:
  metadata:
    labels: {{- include "millrace.podLabels" $args | nindent 6 }}
  spec:
    restartPolicy: OnFailure
    serviceAccountName: {{ include "millrace.fullname" . }}-provision
    automountServiceAccountToken: false
    enableServiceLinks: false
    {{- with include "millrace.imagePullSecrets" . }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    securityContext: {{- include "millrace.podSecurity" . | nindent 6 }}
    {{- with include "millrace.scheduling" $provision.scheduling }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    containers:
      - name: provision
        image: {{ include "millrace.image" (dict "root" . "name" "ingest") }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        args:
          - provision
          - --wait=600
          {{- if $provision.buckets }}
          - --only
          - buckets
          {{- end }}
          - --only
          - tables
          {{- if .Values.connect.enabled }}
          - --only
          - coordinators
          {{- end }}
          {{- if $outside }}
          - --only
          - topics
          {{- end }}
        securityContext: {{- include "millrace.containerSecurity" . | nindent 10 }}
        env:
          {{- include "millrace.env" (dict "root" . "component" "provision" "s3" true "catalog" true "kafka" $kafka) | nindent 10 }}
        resources: {{- toYaml $provision.resources | nindent 10 }}
        volumeMounts:
          - {name: tmp, mountPath: /tmp}
          {{- include "millrace.catalogVolumeMounts" . | nindent 10 }}
          {{- if $kafka }}
          {{- include "millrace.kafkaVolumeMounts" . | nindent 10 }}
          {{- end }}
    volumes:
      - name: tmp
        emptyDir: {}
      {{- include "millrace.catalogVolumes" . | nindent 6 }}
      {{- if $kafka }}
      {{- include "millrace.kafkaVolumes" . | nindent 6 }}
      {{- end }}
{{- end -}}
