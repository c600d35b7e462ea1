data "aws_iam_policy_document" "assume" {
  for_each = toset(["eks", "ec2", "vpc-flow-logs"])

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "cluster" {
  name               = "${var.name}-cluster"
  assume_role_policy = data.aws_iam_policy_document.assume["eks"].json
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_cloudwatch_log_group" "cluster" {
  name              = "/aws/eks/${var.name}/cluster" # EKS writes to this name whether it exists or not, and then for ever.
  retention_in_days = 30
}

resource "aws_eks_cluster" "this" {
  name     = var.name
  version  = var.kubernetes_version
  role_arn = aws_iam_role.cluster.arn

  bootstrap_self_managed_addons = false
  enabled_cluster_log_types     = ["api", "audit", "authenticator"]

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = true # whoever applies this also installs the charts
  }

  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = aws_kms_key.this["secrets"].arn
    }
  }

  vpc_config {
    subnet_ids              = [for subnet in aws_subnet.private : subnet.id]
    endpoint_private_access = true
    endpoint_public_access  = length(var.api_access_cidrs) > 0
    public_access_cidrs     = length(var.api_access_cidrs) > 0 ? var.api_access_cidrs : null
  }

  depends_on = [aws_iam_role_policy_attachment.cluster, aws_cloudwatch_log_group.cluster]
}

locals {
  addons = {
    # Network policies of the chart are enforced by the network add-on, which does so only when told to.
    vpc-cni                = { before_nodes = true, values = { enableNetworkPolicy = "true" } }
    kube-proxy             = { before_nodes = true, values = null }
    eks-pod-identity-agent = { before_nodes = true, values = null }
    coredns                = { before_nodes = false, values = null }
    metrics-server         = { before_nodes = false, values = null } # the autoscaler of the API reads CPU from it
    # Its own default class encrypts nothing: modules/platform makes one that does.
    aws-ebs-csi-driver = { before_nodes = false, values = null }
  }
}

resource "aws_eks_addon" "before_nodes" {
  for_each = { for name, addon in local.addons : name => addon if addon.before_nodes }

  cluster_name         = aws_eks_cluster.this.name
  addon_name           = each.key
  configuration_values = each.value.values == null ? null : jsonencode(each.value.values)
}

# These need a node to run on before they count as installed.
resource "aws_eks_addon" "after_nodes" {
  for_each = { for name, addon in local.addons : name => addon if !addon.before_nodes }

  cluster_name         = aws_eks_cluster.this.name
  addon_name           = each.key
  configuration_values = each.value.values == null ? null : jsonencode(each.value.values)

  depends_on = [aws_eks_node_group.platform, aws_eks_pod_identity_association.system]
}
