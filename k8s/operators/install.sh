#!/usr/bin/env bash
# Both operators, each in its own namespace, watching NAMESPACE (by default millrace). Safe to run again.
set -euo pipefail
cd "$(dirname "$0")"
namespace="${NAMESPACE:-millrace}"

if ! kubectl get namespace "$namespace" >/dev/null 2>&1; then
  kubectl create namespace "$namespace"
fi
kubectl label --overwrite namespace "$namespace" pod-security.kubernetes.io/enforce=restricted \
  pod-security.kubernetes.io/enforce-version=latest pod-security.kubernetes.io/warn=restricted

helm upgrade --install strimzi oci://quay.io/strimzi-helm/strimzi-kafka-operator --version 1.2.0 \
  --namespace strimzi-system --create-namespace --values strimzi.yaml --set "watchNamespaces={$namespace}" --wait
helm upgrade --install spark-operator spark-operator --repo https://kubeflow.github.io/spark-operator --version 2.5.2 \
  --namespace spark-operator --create-namespace --values spark-operator.yaml \
  --set "spark.jobNamespaces={$namespace}" --wait
