{{/*
What every pod of ours shares: image, pull secrets, security contexts. Pod Security "restricted" throughout.
*/}}

{{/* include "millrace.image" (dict "root" $ "name" "api") */}}
{{- define "millrace.image" -}}
{{- $image := .root.Values.image -}}
{{- $part := default .component .name -}}
{{- $name := printf "%s/millrace-%s" (trimSuffix "/" $image.registry) $part -}}
{{- $digest := get (default dict $image.digests) $part -}}
{{- if $digest -}}
{{- printf "%s@%s" $name $digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* A whole line block, empty without pull secrets: {{- include "millrace.imagePullSecrets" $ | nindent 6 }} */}}
{{- define "millrace.imagePullSecrets" -}}
{{- $root := default . .root -}}
{{- with $root.Values.image.pullSecrets -}}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* securityContext of a pod. Takes the root, or (dict "root" $ "user" 185) for an image with another user. */}}
{{- define "millrace.podSecurity" -}}
{{- $root := default . .root -}}
{{- $user := default $root.Values.podSecurity.user .user -}}
runAsNonRoot: true
runAsUser: {{ int64 $user }}
runAsGroup: {{ int64 $user }}
fsGroup: {{ int64 $user }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "millrace.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* securityContext of the pods that Strimzi makes; it chooses the user itself. */}}
{{- define "millrace.strimziPodSecurity" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/*
The same for pods with a volume, most of which belong to root when they are new. Group 0 is that of the images' user,
and what Strimzi itself sets where the pod has no securityContext.
*/}}
{{- define "millrace.strimziVolumeSecurity" -}}
{{ include "millrace.strimziPodSecurity" . }}
fsGroup: 0
fsGroupChangePolicy: OnRootMismatch
{{- end -}}

{{/* Annotations by which a cloud knows our service accounts, such as eks.amazonaws.com/role-arn. */}}
{{- define "millrace.serviceAccountAnnotations" -}}
{{- $root := default . .root -}}
{{- with $root.Values.storage.external.serviceAccountAnnotations -}}
annotations:
{{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* Where pods go, of a block `scheduling` of the values: include "millrace.scheduling" .Values.catalog.scheduling */}}
{{- define "millrace.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* The same, with pull secrets, in Strimzi's pod templates, which know no nodeSelector. */}}
{{- define "millrace.strimziScheduling" -}}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- include "millrace.scheduling" (omit .scheduling "nodeSelector") }}
{{- end -}}
