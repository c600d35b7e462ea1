# A role for each component, that only its own service account in this cluster and namespace can take on.

locals {
  lake   = aws_s3_bucket.this["lake"].arn
  models = aws_s3_bucket.this["models"].arn

  arns   = { lake = local.lake, models = local.models }
  rights = yamldecode(file("${path.module}/../../../charts/millrace/files/rights.yaml"))

  # What each component does with objects, as the Python package says it. Who may write objects may also remove them:
  # versioning keeps what was removed. The buckets are made here, so that no component needs to.
  objects = { for component, rights in local.rights : component => {
    list = [for bucket in rights.buckets : local.arns[bucket]]
    read = concat(
      flatten([for bucket, prefixes in rights.read : [for prefix in prefixes : "${local.arns[bucket]}/${prefix}*"]]),
      component == "ingest" ? var.ingest_sources : [],
    )
    write = flatten([for bucket, prefixes in rights.write : [for prefix in prefixes : "${local.arns[bucket]}/${prefix}*"]])
  } }

  # Service accounts as the chart and Strimzi name them.
  service_accounts = {
    "${var.release}-api"             = "api"
    "${var.release}-online"          = "online"
    "${var.release}-stream"          = "stream"
    "${var.release}-stream-executor" = "stream"
    "${var.release}-connect"         = "connect"
    "${var.release}-train"           = "train"
    "${var.release}-train-executor"  = "train"
    "${var.release}-ingest"          = "ingest"
    "${var.release}-provision"       = "provision"
  }
}

data "aws_iam_policy_document" "pod" {
  for_each = local.objects

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
      variable = "aws:RequestTag/kubernetes-namespace"
      values   = [var.namespace]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/kubernetes-service-account"
      values   = [for account, component in local.service_accounts : account if component == each.key]
    }
  }
}

resource "aws_iam_role" "pod" {
  for_each = local.objects

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.pod[each.key].json
}

data "aws_iam_policy_document" "objects" {
  for_each = local.objects

  dynamic "statement" {
    for_each = length(each.value.list) > 0 ? [1] : []

    content {
      sid       = "List"
      actions   = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
      resources = each.value.list
    }
  }

  dynamic "statement" {
    for_each = length(each.value.read) > 0 ? [1] : []

    content {
      sid       = "Read"
      actions   = ["s3:GetObject"]
      resources = each.value.read
    }
  }

  dynamic "statement" {
    for_each = length(each.value.write) > 0 ? [1] : []

    content {
      sid       = "Write"
      actions   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
      resources = each.value.write
    }
  }

  # The key by way of S3 only. Writing in several parts needs Decrypt too.
  dynamic "statement" {
    for_each = length(each.value.list) > 0 ? [1] : []

    content {
      sid       = "Key"
      actions   = length(each.value.write) > 0 ? ["kms:Decrypt", "kms:GenerateDataKey"] : ["kms:Decrypt"]
      resources = [aws_kms_key.this["data"].arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${local.region}.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role_policy" "objects" {
  for_each = { for component, paths in local.objects : component => paths if length(concat(paths.list, paths.read)) > 0 }

  name   = "objects"
  role   = aws_iam_role.pod[each.key].id
  policy = data.aws_iam_policy_document.objects[each.key].json
}

resource "aws_eks_pod_identity_association" "pod" {
  for_each = local.service_accounts

  cluster_name    = aws_eks_cluster.this.name
  namespace       = var.namespace
  service_account = each.key
  role_arn        = aws_iam_role.pod[each.value].arn
}
