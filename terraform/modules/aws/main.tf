data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

data "aws_availability_zones" "this" {
  state = "available"

  # Local zones have neither NAT gateways nor EKS.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.name

  zones = { for number, zone in slice(data.aws_availability_zones.this.names, 0, 3) : zone => number }
}

# One key for the cluster's secrets, another for data: whoever may read objects is not thereby let at the secrets.
resource "aws_kms_key" "this" {
  for_each = { secrets = "Kubernetes secrets", data = "lake, models and catalog" }

  description             = "${var.name}: ${each.value}"
  enable_key_rotation     = true
  deletion_window_in_days = var.disposable ? 7 : 30
}

resource "aws_kms_alias" "this" {
  for_each = aws_kms_key.this

  name          = "alias/${var.name}-${each.key}"
  target_key_id = each.value.key_id
}
