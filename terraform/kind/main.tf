# One node, made of the same file as `make kind-up`.

locals {
  config = yamldecode(file("${path.module}/../../k8s/kind/cluster.yaml"))
}

provider "kind" {}

resource "kind_cluster" "this" {
  name           = local.config.name # `make images` loads into the cluster of this name
  wait_for_ready = true

  kind_config {
    kind        = local.config.kind
    api_version = local.config.apiVersion

    dynamic "node" {
      for_each = local.config.nodes

      content {
        role   = node.value.role
        image  = node.value.image
        labels = node.value.labels

        dynamic "extra_port_mappings" {
          for_each = node.value.extraPortMappings

          content {
            container_port = extra_port_mappings.value.containerPort
            host_port      = extra_port_mappings.value.hostPort
            listen_address = extra_port_mappings.value.listenAddress
            protocol       = extra_port_mappings.value.protocol
          }
        }
      }
    }
  }
}

# Pods of Millrace start only once their images are in the node.
resource "terraform_data" "images" {
  count = var.image_registry == "localhost" ? 1 : 0

  triggers_replace = [kind_cluster.this.id, var.image_tag]

  provisioner "local-exec" {
    working_dir = "${path.module}/../.."
    command     = "make images"
    environment = var.image_tag == "" ? {} : { TAG = var.image_tag }
  }
}

provider "kubernetes" {
  host                   = kind_cluster.this.endpoint
  client_certificate     = kind_cluster.this.client_certificate
  client_key             = kind_cluster.this.client_key
  cluster_ca_certificate = kind_cluster.this.cluster_ca_certificate
}

provider "helm" {
  kubernetes = {
    host                   = kind_cluster.this.endpoint
    client_certificate     = kind_cluster.this.client_certificate
    client_key             = kind_cluster.this.client_key
    cluster_ca_certificate = kind_cluster.this.cluster_ca_certificate
  }
}

module "platform" {
  source = "../modules/platform"

  profile   = "values-kind.yaml"
  settings  = local.settings
  overrides = [for path in var.values_files : file(path)]

  depends_on = [terraform_data.images]
}
