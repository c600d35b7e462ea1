# MSK Serverless, in place of Strimzi's brokers: IAM is its only login, on port 9098.

resource "aws_security_group" "kafka" {
  count = var.msk ? 1 : 0

  name        = "${var.name}-kafka"
  description = "Kafka, from the nodes of ${var.name}"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "kafka" {
  count = var.msk ? 1 : 0

  security_group_id            = aws_security_group.kafka[0].id
  referenced_security_group_id = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 9098
  to_port                      = 9098
}

resource "aws_msk_serverless_cluster" "this" {
  count = var.msk ? 1 : 0

  cluster_name = var.name

  vpc_config {
    subnet_ids         = [for subnet in aws_subnet.private : subnet.id]
    security_group_ids = [aws_security_group.kafka[0].id]
  }

  client_authentication {
    sasl {
      iam {
        enabled = true
      }
    }
  }
}

locals {
  # Topics and consumer groups of each component; the same as the ACLs of the chart's KafkaUsers.
  kafka = {
    ingest = {
      topics = { write = ["*.records", "*.rejected", "ingest.receipts"], read = ["*.rejected", "ingest.receipts", "connect.rejected"] }
      groups = []
    }
    connect = {
      topics = {
        write = ["connect.configs", "connect.offsets", "connect.status", "connect.rejected", "lake.control"]
        read  = ["connect.configs", "connect.offsets", "connect.status", "lake.control", "*.records"]
      }
      groups = ["millrace-connect", "connect-lake-*", "cg-control-*"]
    }
    # Training compares the end of each topic with what it found in the lake.
    train     = { topics = { write = [], read = ["*.records"] }, groups = [] }
    provision = { topics = { write = [], read = [] }, groups = [] }
  }

  # arn:...:cluster/<name>/<id> names the cluster; arn:...:topic/<name>/<id>/<topic> one of its topics.
  msk_arn = one(aws_msk_serverless_cluster.this[*].arn)
  msk_of  = { for kind in ["topic", "group", "transactional-id"] : kind => try(replace(local.msk_arn, ":cluster/", ":${kind}/"), "") }
}

data "aws_iam_policy_document" "kafka" {
  for_each = var.msk ? local.kafka : {}

  statement {
    sid       = "Connect"
    actions   = ["kafka-cluster:Connect", "kafka-cluster:DescribeCluster"]
    resources = [local.msk_arn]
  }

  dynamic "statement" {
    for_each = length(each.value.topics.read) > 0 ? [1] : []

    content {
      sid       = "Read"
      actions   = ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"]
      resources = [for topic in each.value.topics.read : "${local.msk_of["topic"]}/${topic}"]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.topics.write) > 0 ? [1] : []

    content {
      sid       = "Write"
      actions   = ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"]
      resources = [for topic in each.value.topics.write : "${local.msk_of["topic"]}/${topic}"]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.topics.write) > 0 ? [1] : []

    content {
      sid       = "WriteOnce"
      actions   = ["kafka-cluster:WriteDataIdempotently"]
      resources = [local.msk_arn]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.groups) > 0 ? [1] : []

    content {
      sid       = "Groups"
      actions   = ["kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup"]
      resources = [for group in each.value.groups : "${local.msk_of["group"]}/${group}"]
    }
  }

  # The sink commits to its control topic in transactions, whose names it makes up.
  dynamic "statement" {
    for_each = each.key == "connect" ? [1] : []

    content {
      sid       = "Transactions"
      actions   = ["kafka-cluster:DescribeTransactionalId", "kafka-cluster:AlterTransactionalId"]
      resources = ["${local.msk_of["transactional-id"]}/*"]
    }
  }

  # Connect makes its own three topics if they are missing; all others are provisioned.
  dynamic "statement" {
    for_each = contains(["provision", "connect"], each.key) ? [1] : []

    content {
      sid = "Topics"
      actions = [
        "kafka-cluster:CreateTopic",
        "kafka-cluster:DescribeTopic",
        "kafka-cluster:AlterTopic",
        "kafka-cluster:DescribeTopicDynamicConfiguration",
        "kafka-cluster:AlterTopicDynamicConfiguration",
      ]
      resources = ["${local.msk_of["topic"]}/${each.key == "connect" ? "connect.*" : "*"}"]
    }
  }
}

resource "aws_iam_role_policy" "kafka" {
  for_each = data.aws_iam_policy_document.kafka

  name   = "kafka"
  role   = aws_iam_role.pod[each.key].id
  policy = each.value.json
}
