{{/* Parts of the KafkaConnect resource. */}}

{{/* tls and authentication towards the brokers. */}}
{{- define "millrace.connect.security" -}}
{{- $external := .Values.kafka.external -}}
{{- $protocol := include "millrace.kafka.protocol" . -}}
{{- $mechanism := include "millrace.kafka.mechanism" . -}}
{{- if has $protocol (list "SSL" "SASL_SSL") }}
tls:
  trustedCertificates:
    {{- with include "millrace.kafka.caSecret" . }}
    - secretName: {{ . }}
      certificate: ca.crt
    {{- else }} []
    {{- end }}
{{- end }}
{{- if eq $mechanism "AWS_MSK_IAM" }}
authentication:
  type: custom
  sasl: true
  config:
    sasl.mechanism: AWS_MSK_IAM
    sasl.jaas.config: software.amazon.msk.auth.iam.IAMLoginModule required;
    sasl.client.callback.handler.class: software.amazon.msk.auth.iam.IAMClientCallbackHandler
{{- else if $mechanism }}
{{- $user := printf "%s-connect" (include "millrace.fullname" .) }}
authentication:
  type: {{ lower $mechanism }}
  username: {{ ternary $external.username $user $external.enabled }}
  passwordSecret:
    secretName: {{ ternary $external.existingSecret $user $external.enabled }}
    password: password
{{- end }}
{{- end -}}

{{/* The workers' configuration; the user's own keys win. */}}
{{- define "millrace.connect.config" -}}
{{- $replication := .Values.kafka.replicationFactor -}}
{{- $ours := dict
  "config.storage.replication.factor" $replication
  "offset.storage.replication.factor" $replication
  "offset.storage.partitions" 4
  "status.storage.replication.factor" $replication
  "status.storage.partitions" 2
  "key.converter" "org.apache.kafka.connect.storage.StringConverter"
  "value.converter" "org.apache.kafka.connect.json.JsonConverter"
  "value.converter.schemas.enable" false
  "plugin.discovery" "service_load"
  "connector.client.config.override.policy" "All"
  "offset.flush.interval.ms" 5000
  "session.timeout.ms" 10000
  "heartbeat.interval.ms" 3000
  "scheduled.rebalance.max.delay.ms" 0
  "config.providers" "env"
  "config.providers.env.class" "org.apache.kafka.common.config.provider.EnvVarConfigProvider"
  "config.providers.env.param.allowlist.pattern" "CATALOG_PASSWORD"
-}}
{{- toYaml (merge (deepCopy .Values.connect.config) $ours) -}}
{{- end -}}

{{- define "millrace.connect.template" -}}
{{- $connect := .Values.connect -}}
pod:
  securityContext: {{- include "millrace.strimziPodSecurity" . | nindent 4 }}
  {{- with include "millrace.strimziScheduling" (dict "root" . "scheduling" $connect.scheduling) }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "millrace.connectPods" . | nindent 10 }}
  volumes:
    # The sink stages its uploads on disk; Strimzi's /tmp is 5 MB of memory.
    - name: staging
      emptyDir:
        sizeLimit: {{ $connect.stagingSize }}
    {{- include "millrace.catalogVolumes" . | nindent 4 }}
connectContainer:
  securityContext: {{- include "millrace.containerSecurity" . | nindent 4 }}
  env:
    {{- include "millrace.connect.env" . | nindent 4 }}
  volumeMounts:
    - name: staging
      mountPath: /mnt/staging
    {{- if include "millrace.catalog.caSecret" . }}
    # Strimzi lets nothing be mounted elsewhere.
    - name: catalog-ca
      mountPath: /mnt/catalog
      readOnly: true
    {{- end }}
{{- if and .Values.kafka.rack.topologyKey (not .Values.kafka.external.enabled) }}
initContainer:
  securityContext: {{- include "millrace.containerSecurity" . | nindent 4 }}
{{- end }}
{{- with include "millrace.serviceAccountAnnotations" . }}
serviceAccount:
  metadata:
    {{- . | trim | nindent 4 }}
{{- end }}
{{- end -}}

{{/* AWS's own names, which Iceberg's S3 client reads; the connector refers to CATALOG_PASSWORD. */}}
{{- define "millrace.connect.env" -}}
- name: AWS_REGION
  value: {{ include "millrace.storage.region" . | quote }}
{{- with include "millrace.storage.secret" (dict "root" . "component" "connect") }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: access-key
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: secret-key
{{- end }}
- name: CATALOG_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "millrace.catalog.secret" . }}
      key: password
{{- end -}}
