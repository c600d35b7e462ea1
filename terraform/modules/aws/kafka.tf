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
  # The topics of the platform, from the file that the chart has them from.
  platform  = yamldecode(file("${path.module}/../../../charts/millrace/files/workloads.yaml"))
  topics    = concat(local.platform.topics[*].name, flatten([for of in values(local.platform.workloads) : of.topics[*].name]))
  workloads = keys(local.platform.workloads)
  records   = formatlist("%s.records", local.workloads)
  rejected  = formatlist("%s.rejected", local.workloads)
  connects  = ["connect.configs", "connect.offsets", "connect.status"]

  # Workloads whose recommendations follow events, and such whose pages are scored as they come.
  events   = [for name, of in local.platform.workloads : name if length(of.events) > 0]
  pages    = [for name, of in local.platform.workloads : name if length(of.pages) > 0]
  deltas   = formatlist("%s.deltas", distinct(concat(local.events, local.pages)))
  clusters = flatten([for name in local.pages : [for topic in local.topics : topic if startswith(topic, "${name}.cluster.")]])

  # What each component does in Kafka: the same as the ACLs of the chart's KafkaUsers, plus the making of topics, which
  # Strimzi does there.
  kafka = {
    # It writes the events that it is sent, and follows what is made of them.
    api = {
      write  = formatlist("%s.records", local.events)
      read   = local.deltas
      create = []
      groups = []
    }
    online = {
      write  = formatlist("%s.deltas", local.events)
      read   = concat(formatlist("%s.records", local.events), formatlist("%s.deltas", local.events))
      create = []
      groups = []
    }
    stream = {
      write  = concat(formatlist("%s.deltas", local.pages), local.clusters)
      read   = concat(formatlist("%s.records", local.pages), formatlist("%s.deltas", local.pages), local.clusters)
      create = []
      groups = ["spark-kafka-source-*"]
    }
    ingest = {
      write  = concat(local.records, local.rejected, ["ingest.receipts"])
      read   = concat(local.rejected, ["ingest.receipts", "connect.rejected"])
      create = []
      groups = []
    }
    connect = {
      write  = concat(local.connects, ["connect.rejected", "lake.control"])
      read   = concat(local.connects, local.records, ["lake.control"])
      create = local.connects
      groups = ["millrace-connect", "connect-lake-*", "cg-control-*"]
    }
    # It asks where the records end; a gap in the lake may be explained by the dead letters.
    train = {
      write  = []
      read   = concat(local.records, ["connect.rejected"])
      create = []
      groups = []
    }
    # It lets the sinks' coordinators begin at an offset of the control topic, which takes the right to read it.
    provision = {
      write  = []
      read   = ["lake.control"]
      create = local.topics
      groups = ["connect-lake-*"]
    }
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
    for_each = length(each.value.read) > 0 ? [1] : []

    content {
      sid       = "Read"
      actions   = ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"]
      resources = [for topic in each.value.read : "${local.msk_of["topic"]}/${topic}"]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.write) > 0 ? [1] : []

    content {
      sid       = "Write"
      actions   = ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"]
      resources = [for topic in each.value.write : "${local.msk_of["topic"]}/${topic}"]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.write) > 0 ? [1] : []

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

  # The sink commits to its control topic in transactions, whose names begin with the prefix that the chart gives.
  dynamic "statement" {
    for_each = each.key == "connect" ? [1] : []

    content {
      sid       = "Transactions"
      actions   = ["kafka-cluster:DescribeTransactionalId", "kafka-cluster:AlterTransactionalId"]
      resources = ["${local.msk_of["transactional-id"]}/lake-*"]
    }
  }

  dynamic "statement" {
    for_each = length(each.value.create) > 0 ? [1] : []

    content {
      sid = "Topics"
      actions = [
        "kafka-cluster:CreateTopic",
        "kafka-cluster:DescribeTopic",
        "kafka-cluster:AlterTopic",
        "kafka-cluster:DescribeTopicDynamicConfiguration",
        "kafka-cluster:AlterTopicDynamicConfiguration",
      ]
      resources = [for topic in each.value.create : "${local.msk_of["topic"]}/${topic}"]
    }
  }
}

resource "aws_iam_role_policy" "kafka" {
  for_each = data.aws_iam_policy_document.kafka

  name   = "kafka"
  role   = aws_iam_role.pod[each.key].id
  policy = each.value.json
}
