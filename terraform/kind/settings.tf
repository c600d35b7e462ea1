# Values for the chart, over charts/millrace/values-kind.yaml.

locals {
  settings = {
    image = {
      registry = var.image_registry
      tag      = var.image_tag
      # Images of this machine are in no registry that could be asked.
      pullPolicy = var.image_registry == "localhost" ? "Never" : "IfNotPresent"
    }
  }
}
