{{/*
The service accounts of driver and executors, and what the driver may do: (dict "root" $ "component"
"training"|"stream" "of" <values with a serviceAccount>).
*/}}
{{- define "millrace.spark.rbac" -}}
{{- $root := .root }}
{{- $labels := include "millrace.labels" . }}
{{- $name := include "millrace.spark.serviceAccount" (dict "root" $root "component" .component "role" "driver") }}
{{- range $role := list "driver" "executor" }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "millrace.spark.serviceAccount" (dict "root" $root "component" $.component "role" $role) }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
  {{- include "millrace.identity" (dict "root" $root "of" $.of) | nindent 2 }}
automountServiceAccountToken: {{ eq $role "driver" }}
{{- end }}
---
# The driver makes its executors, their configuration and their volumes, and removes all of them at its end. Of which
# pods it may make, templates/admission has the rest.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
rules:
  - apiGroups: [""]
    resources: [pods, configmaps, persistentvolumeclaims]
    verbs: [get, list, watch, create, update, patch, delete, deletecollection]
  # Its own Service is made by the operator.
  - apiGroups: [""]
    resources: [services]
    verbs: [get, list, watch, delete, deletecollection]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $root.Release.Namespace }}
{{- end -}}
