provider "aws" {
  region = var.region

  default_tags {
    tags = { project = var.name, managed-by = "terraform" }
  }
}

module "aws" {
  source = "../modules/aws"

  name             = var.name
  api_access_cidrs = var.api_access_cidrs
  nat_per_zone     = var.nat_per_zone
  msk              = var.msk
  rds              = var.rds
  ingest_sources   = var.ingest_sources
  disposable       = var.disposable
}

# A token of 15 minutes, asked for anew in each run, and never in the state.
ephemeral "aws_eks_cluster_auth" "this" {
  name = module.aws.cluster.name
}

provider "kubernetes" {
  host                   = module.aws.cluster.endpoint
  cluster_ca_certificate = base64decode(module.aws.cluster.ca)
  token                  = ephemeral.aws_eks_cluster_auth.this.token
}

provider "helm" {
  kubernetes = {
    host                   = module.aws.cluster.endpoint
    cluster_ca_certificate = base64decode(module.aws.cluster.ca)
    token                  = ephemeral.aws_eks_cluster_auth.this.token
  }
}

ephemeral "aws_secretsmanager_secret_version" "catalog" {
  count = var.install && var.rds ? 1 : 0

  secret_id = module.aws.catalog_secret.arn
}

# Nodes come when pods wait for room, spot nodes for executors among them, and go when they stand empty.
resource "helm_release" "autoscaler" {
  count = var.install ? 1 : 0

  name       = "cluster-autoscaler"
  repository = "https://kubernetes.github.io/autoscaler"
  chart      = "cluster-autoscaler"
  version    = var.autoscaler_version
  namespace  = "kube-system"

  values = [yamlencode({
    awsRegion     = var.region
    autoDiscovery = { clusterName = module.aws.cluster.name }
    rbac          = { serviceAccount = { name = "cluster-autoscaler" } }
    extraArgs     = { expander = "least-waste", balance-similar-node-groups = true }
  })]

  depends_on = [module.aws]
}

module "platform" {
  source = "../modules/platform"
  count  = var.install ? 1 : 0

  profile                  = "values-production.yaml"
  settings                 = module.aws.settings
  overrides                = concat([yamlencode(local.settings)], [for path in var.values_files : file(path)])
  catalog_secret           = var.rds ? module.aws.settings.catalog.external.existingSecret : null
  catalog_password         = one(ephemeral.aws_secretsmanager_secret_version.catalog[*].secret_string)
  catalog_password_version = try(module.aws.catalog_secret.version, 1)
  catalog_ca_secret        = var.rds ? module.aws.settings.catalog.external.caSecret : null
  catalog_ca               = var.rds ? file(var.rds_ca_file) : ""

  # The driver's own default class encrypts nothing.
  storage_classes = {
    "encrypted-gp3" = {
      default     = true
      provisioner = "ebs.csi.aws.com"
      parameters  = { type = "gp3", encrypted = "true" }
    }
  }

  depends_on = [module.aws]
}
