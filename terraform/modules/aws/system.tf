# The two parts of the cluster itself that call AWS: the driver of volumes and the autoscaler of nodes.

locals {
  system = {
    volumes    = "ebs-csi-controller-sa"
    autoscaler = "cluster-autoscaler"
  }
}

data "aws_iam_policy_document" "system" {
  for_each = local.system

  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/eks-cluster-arn"
      values   = [aws_eks_cluster.this.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-service-account"
      values   = [each.value]
    }
  }
}

resource "aws_iam_role" "system" {
  for_each = local.system

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.system[each.key].json
}

resource "aws_iam_role_policy_attachment" "volumes" {
  role       = aws_iam_role.system["volumes"].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
}

data "aws_iam_policy_document" "autoscaler" {
  # AWS has no narrower resource for these: they only look.
  statement {
    sid = "Look"
    actions = [
      "autoscaling:DescribeAutoScalingGroups",
      "autoscaling:DescribeAutoScalingInstances",
      "autoscaling:DescribeLaunchConfigurations",
      "autoscaling:DescribeScalingActivities",
      "ec2:DescribeImages",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeLaunchTemplateVersions",
      "ec2:GetInstanceTypesFromInstanceRequirements",
    ]
    resources = ["*"]
  }

  statement {
    sid     = "LookAtOurNodes"
    actions = ["eks:DescribeNodegroup"]
    resources = [
      "arn:${local.partition}:eks:${local.region}:${local.account}:nodegroup/${var.name}/*",
    ]
  }

  statement {
    sid       = "ScaleOurNodes"
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["arn:${local.partition}:autoscaling:${local.region}:${local.account}:autoScalingGroup:*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/eks:cluster-name"
      values   = [var.name]
    }
  }
}

resource "aws_iam_role_policy" "autoscaler" {
  name   = "autoscaler"
  role   = aws_iam_role.system["autoscaler"].id
  policy = data.aws_iam_policy_document.autoscaler.json
}

resource "aws_eks_pod_identity_association" "system" {
  for_each = local.system

  cluster_name    = aws_eks_cluster.this.name
  namespace       = "kube-system"
  service_account = each.value
  role_arn        = aws_iam_role.system[each.key].arn
}
