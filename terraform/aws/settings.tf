# Values for the chart that do not come from AWS, over charts/millrace/values-production.yaml.

locals {
  settings = {
    image = { tag = var.image_tag }

    gateway = {
      enabled    = length(var.hostnames) > 0
      parentRefs = [var.gateway]
      hostnames  = var.hostnames
    }

    # Who may ask the API. Without a gateway that is whoever is in the cluster.
    api = {
      networkPolicy = {
        from = length(var.hostnames) > 0 ? [
          { namespaceSelector = { matchLabels = { "kubernetes.io/metadata.name" = var.gateway.namespace } } },
          { namespaceSelector = { matchLabels = { "kubernetes.io/metadata.name" = "monitoring" } } },
        ] : []
      }
    }

    monitoring = {
      serviceMonitor = { enabled = var.monitoring }
      podMonitor     = { enabled = var.monitoring }
      alerts         = { enabled = var.monitoring }
      dashboards     = { enabled = var.monitoring }
    }
  }
}
