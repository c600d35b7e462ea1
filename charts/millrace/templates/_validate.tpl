{{/* The checks of what is outside of the cluster. */}}

{{- define "millrace.validate.externalKafka" -}}
{{- $external := .Values.kafka.external }}
{{- if not $external.bootstrap }}
  {{- fail "kafka.external.enabled is true, but kafka.external.bootstrap is empty: give host:port of the brokers." }}
{{- end }}
{{- if .Values.kafka.keepOnUninstall }}
  {{- fail "kafka.keepOnUninstall is true, but with kafka.external.enabled there is no Kafka of ours to keep." }}
{{- end }}
{{- if .Values.kafka.paused }}
  {{- fail "kafka.paused is true, but with kafka.external.enabled there is no Kafka of ours to pause." }}
{{- end }}
{{- if hasPrefix "SASL_" $external.securityProtocol }}
  {{- if eq $external.saslMechanism "AWS_MSK_IAM" }}
    {{- if ne $external.securityProtocol "SASL_SSL" }}
      {{- fail (printf "kafka.external.saslMechanism AWS_MSK_IAM needs kafka.external.securityProtocol SASL_SSL, which is %s." $external.securityProtocol) }}
    {{- end }}
    {{- if or $external.existingSecret $external.username }}
      {{- fail "kafka.external.saslMechanism AWS_MSK_IAM logs in by role: leave kafka.external.username and kafka.external.existingSecret empty." }}
    {{- end }}
  {{- else if not (and $external.existingSecret $external.username) }}
    {{- fail (printf "kafka.external.saslMechanism %s needs kafka.external.username and kafka.external.existingSecret, the secret with the password." $external.saslMechanism) }}
  {{- end }}
{{- else if or $external.existingSecret $external.username }}
  {{- fail (printf "kafka.external.securityProtocol %s has no login, but kafka.external.username or kafka.external.existingSecret is set: take SASL_SSL, or empty them." $external.securityProtocol) }}
{{- end }}
{{- if and $external.caSecret (not (hasSuffix "SSL" $external.securityProtocol)) }}
  {{- fail (printf "kafka.external.caSecret is %q, but kafka.external.securityProtocol %s does not encrypt." $external.caSecret $external.securityProtocol) }}
{{- end }}
{{- end -}}

{{- define "millrace.validate.catalog" -}}
{{- $external := .Values.catalog.external }}
{{- if $external.enabled }}
  {{- if not (and $external.jdbc $external.user $external.existingSecret) }}
    {{- fail "catalog.external.enabled is true, but catalog.external.jdbc, catalog.external.user or catalog.external.existingSecret is empty." }}
  {{- end }}
{{- else if $external.jdbc }}
  {{- fail (printf "catalog.external.jdbc is %q, but catalog.external.enabled is false: enable it, or empty the address." $external.jdbc) }}
{{- end }}
{{- end -}}

{{- define "millrace.validate.catalogCa" -}}
{{- $external := .Values.catalog.external }}
{{- if and $external.caSecret (contains "sslmode=" $external.jdbc) }}
  {{- fail (printf "catalog.external.caSecret is %q and catalog.external.jdbc names an sslmode: with an authority it is verify-full; take it out of the address." $external.caSecret) }}
{{- end }}
{{- if and $external.caSecret (not $external.enabled) }}
  {{- fail (printf "catalog.external.caSecret is %q, but catalog.external.enabled is false: enable it, or empty the secret." $external.caSecret) }}
{{- end }}
{{- end -}}

{{- define "millrace.validate.storage" -}}
{{- $external := .Values.storage.external }}
{{- if $external.enabled }}
  {{- if and $external.endpoint (not $external.existingSecret) (not (contains "amazonaws.com" $external.endpoint)) }}
    {{- fail (printf "storage.external.endpoint is %q, but storage.external.existingSecret is empty: only AWS knows a service account's role." $external.endpoint) }}
  {{- end }}
  {{- if and $external.existingSecret $external.serviceAccountAnnotations }}
    {{- fail (printf "storage.external.existingSecret is %q and storage.external.serviceAccountAnnotations is set: the keys would win over the role; choose one." $external.existingSecret) }}
  {{- end }}
{{- else if $external.endpoint }}
  {{- fail (printf "storage.external.endpoint is %q, but storage.external.enabled is false: enable it, or empty the address." $external.endpoint) }}
{{- end }}
{{- if eq .Values.storage.buckets.lake .Values.storage.buckets.models }}
  {{- fail (printf "storage.buckets.lake and storage.buckets.models are both %q: tables and models need a bucket each." .Values.storage.buckets.lake) }}
{{- end }}
{{- end -}}
