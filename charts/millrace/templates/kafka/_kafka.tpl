{{/* Parts of the Kafka resource. */}}

{{/* Broker configuration: what the chart needs, and above it what the user wants. */}}
{{- define "millrace.kafka.config" -}}
{{- $kafka := .Values.kafka -}}
{{- $ours := dict
  "auto.create.topics.enable" false
  "default.replication.factor" $kafka.replicationFactor
  "min.insync.replicas" $kafka.minInSyncReplicas
  "offsets.topic.replication.factor" $kafka.replicationFactor
  "transaction.state.log.replication.factor" $kafka.replicationFactor
  "transaction.state.log.min.isr" $kafka.minInSyncReplicas
  "offsets.retention.minutes" 43200
-}}
{{- if $kafka.rack.topologyKey -}}
{{- $_ := set $ours "replica.selector.class" "org.apache.kafka.common.replica.RackAwareReplicaSelector" -}}
{{- end -}}
{{- toYaml (merge (deepCopy $kafka.config) $ours) -}}
{{- end -}}

{{/* Pods of brokers and controllers. */}}
{{- define "millrace.kafka.template" -}}
pod:
  securityContext: {{- include "millrace.strimziVolumeSecurity" . | nindent 4 }}
  terminationGracePeriodSeconds: 120
  {{- with include "millrace.strimziScheduling" (dict "root" . "scheduling" .Values.kafka.scheduling) }}
  {{- . | trim | nindent 2 }}
  {{- end }}
  topologySpreadConstraints:
    # Never two brokers on a node while another node is free, and zones filled evenly.
    {{- range compact (list "kubernetes.io/hostname" .Values.kafka.rack.topologyKey) }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: {{ $.Values.kafka.spread }}
      labelSelector:
        matchLabels:
          strimzi.io/cluster: {{ include "millrace.fullname" $ }}
          strimzi.io/kind: Kafka
    {{- end }}
kafkaContainer:
  securityContext: {{- include "millrace.containerSecurity" . | nindent 4 }}
{{- if .Values.kafka.rack.topologyKey }}
initContainer:
  securityContext: {{- include "millrace.containerSecurity" . | nindent 4 }}
{{- end }}
{{- end -}}

{{- define "millrace.kafka.entityOperator" -}}
topicOperator:
  resources: {{- toYaml .Values.kafka.entityOperator.resources | nindent 4 }}
userOperator:
  resources: {{- toYaml .Values.kafka.entityOperator.resources | nindent 4 }}
template:
  pod:
    securityContext: {{- include "millrace.strimziPodSecurity" . | nindent 6 }}
  topicOperatorContainer:
    # Without finalizers a namespace can be deleted after the operator has gone.
    env:
      - name: STRIMZI_USE_FINALIZERS
        value: "false"
    securityContext: {{- include "millrace.containerSecurity" . | nindent 6 }}
  userOperatorContainer:
    securityContext: {{- include "millrace.containerSecurity" . | nindent 6 }}
{{- end -}}

{{/* One KafkaNodePool: (dict "root" $ "name" "broker" "roles" (list ..) "pool" <values>) */}}
{{- define "millrace.kafka.pool" -}}
{{- $pool := .pool -}}
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "millrace.labels" (dict "root" .root "component" "kafka") | nindent 4 }}
    strimzi.io/cluster: {{ include "millrace.fullname" .root }}
  {{- if .root.Values.kafka.keepOnUninstall }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
spec:
  replicas: {{ $pool.replicas }}
  roles: {{ toJson .roles }}
  storage:
    type: jbod
    volumes:
      - id: 0
        type: persistent-claim
        size: {{ $pool.storage.size }}
        {{- with $pool.storage.class }}
        class: {{ . }}
        {{- end }}
        # The data outlives the release; delete the claims by hand.
        deleteClaim: false
        {{- if has "controller" .roles }}
        kraftMetadata: shared
        {{- end }}
  resources: {{- toYaml $pool.resources | nindent 4 }}
  jvmOptions:
    -Xms: {{ $pool.heap }}
    -Xmx: {{ $pool.heap }}
{{- end -}}
