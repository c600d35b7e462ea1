# The operators and Millrace itself, on any Kubernetes cluster. `make operators deploy` does the same by hand.

locals {
  root      = "${path.module}/../../.."
  chart     = "${local.root}/charts/millrace"
  operators = "${local.root}/k8s/operators"
}

resource "kubernetes_namespace_v1" "millrace" {
  metadata {
    name = var.namespace

    labels = {
      "pod-security.kubernetes.io/enforce"         = "restricted"
      "pod-security.kubernetes.io/enforce-version" = "latest"
      "pod-security.kubernetes.io/warn"            = "restricted"
    }
  }
}

resource "kubernetes_secret_v1" "catalog" {
  count = var.catalog_secret == null ? 0 : 1

  metadata {
    name      = var.catalog_secret
    namespace = kubernetes_namespace_v1.millrace.metadata[0].name
  }

  # Write-only: the password goes to the cluster, and not into the state.
  data_wo          = { password = var.catalog_password }
  data_wo_revision = var.catalog_password_version
}

resource "kubernetes_secret_v1" "catalog_ca" {
  count = var.catalog_ca_secret == null ? 0 : 1

  metadata {
    name      = var.catalog_ca_secret
    namespace = kubernetes_namespace_v1.millrace.metadata[0].name
  }

  data = { "ca.crt" = var.catalog_ca }
}

# What has no disk of its own class, such as the brokers, gets one of the first of these that is the default.
resource "kubernetes_storage_class_v1" "this" {
  for_each = var.storage_classes

  metadata {
    name        = each.key
    annotations = { "storageclass.kubernetes.io/is-default-class" = tostring(each.value.default) }
  }

  storage_provisioner    = each.value.provisioner
  parameters             = each.value.parameters
  volume_binding_mode    = "WaitForFirstConsumer"
  allow_volume_expansion = true
}

resource "helm_release" "strimzi" {
  name             = "strimzi"
  repository       = "oci://quay.io/strimzi-helm"
  chart            = "strimzi-kafka-operator"
  version          = var.strimzi_version
  namespace        = "strimzi-system"
  create_namespace = true
  timeout          = var.timeout
  atomic           = true

  values = [
    file("${local.operators}/strimzi.yaml"),
    yamlencode({ watchNamespaces = [kubernetes_namespace_v1.millrace.metadata[0].name] }),
  ]
}

resource "helm_release" "spark_operator" {
  name             = "spark-operator"
  repository       = "https://kubeflow.github.io/spark-operator"
  chart            = "spark-operator"
  version          = var.spark_operator_version
  namespace        = "spark-operator"
  create_namespace = true
  timeout          = var.timeout
  atomic           = true

  values = [
    file("${local.operators}/spark-operator.yaml"),
    yamlencode({ spark = { jobNamespaces = [kubernetes_namespace_v1.millrace.metadata[0].name] } }),
  ]
}

resource "helm_release" "millrace" {
  name      = var.release
  chart     = local.chart
  namespace = kubernetes_namespace_v1.millrace.metadata[0].name
  timeout   = var.timeout
  wait      = false # the API gets ready with its first model, and that needs records and a training

  values = concat(
    var.profile == "" ? [] : [file("${local.chart}/${var.profile}")],
    [yamlencode(var.settings)],
    var.overrides,
  )

  # Taken down in the other order: the operators must still be there to remove what they made.
  depends_on = [
    helm_release.strimzi,
    helm_release.spark_operator,
    kubernetes_secret_v1.catalog,
    kubernetes_secret_v1.catalog_ca,
    kubernetes_storage_class_v1.this,
  ]
}
