{{/*
Spark's drivers as Kubernetes knows them, as JSON: {accounts: user -> that of its executors, secrets: user -> those that
its executors may use, with commas between}. CEL takes no table of values that are not of one kind.
*/}}
{{- define "millrace.admission.drivers" -}}
{{- $further := .Values.admissionPolicy.executorSecrets -}}
{{- $found := dict "accounts" dict "secrets" dict -}}
{{- $made := list -}}
{{- if or .Values.training.enabled .Values.compaction.enabled }}{{ $made = append $made "training" }}{{ end -}}
{{- if include "millrace.streams" . | fromJsonArray }}{{ $made = append $made "stream" }}{{ end -}}
{{- range $component := $made -}}
{{- $accounts := dict "root" $ "component" $component -}}
{{- $driver := include "millrace.spark.serviceAccount" (set $accounts "role" "driver") -}}
{{- $executor := include "millrace.spark.serviceAccount" (set $accounts "role" "executor") -}}
{{- $stream := eq $component "stream" -}}
{{- $secrets := list (include "millrace.storage.secret" (dict "root" $ "component" ($stream | ternary "stream" "train"))) -}}
{{- if $stream }}{{ $secrets = append $secrets (include "millrace.kafka.caSecret" $) }}{{ end -}}
{{- $user := printf "system:serviceaccount:%s:%s" $.Release.Namespace $driver -}}
{{- $_ := set $found.accounts $user $executor -}}
{{- $_ := set $found.secrets $user (concat (compact $secrets) $further | join ",") -}}
{{- end -}}
{{- $found | toJson -}}
{{- end -}}
