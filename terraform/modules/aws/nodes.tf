locals {
  spark_pool = { key = "millrace.io/pool", value = "spark" }
}

resource "aws_iam_role" "node" {
  name               = "${var.name}-node"
  assume_role_policy = data.aws_iam_policy_document.assume["ec2"].json
}

# Nothing of S3 or Kafka here: pods get that by their service account, not by the node they happen to be on.
resource "aws_iam_role_policy_attachment" "node" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly"])

  role       = aws_iam_role.node.name
  policy_arn = "arn:${local.partition}:iam::aws:policy/${each.key}"
}

resource "aws_launch_template" "node" {
  name = "${var.name}-node"

  # One hop: a pod does not reach the metadata service, and so not the credentials of its node.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = 100 # images, and Spark's shuffle and spill
      encrypted             = true
      delete_on_termination = true
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = "${var.name}-node" }
  }
}

# Each group spans all zones, and Kubernetes labels every node with its zone: that is the brokers' rack.
resource "aws_eks_node_group" "platform" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "platform"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = [for subnet in aws_subnet.private : subnet.id]
  ami_type        = var.ami_type
  instance_types  = var.platform_nodes.types
  capacity_type   = "ON_DEMAND"
  labels          = { (local.spark_pool.key) = "platform" }

  scaling_config {
    min_size     = var.platform_nodes.min
    desired_size = var.platform_nodes.min
    max_size     = var.platform_nodes.max
  }

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  lifecycle {
    ignore_changes = [scaling_config[0].desired_size] # the autoscaler's, from the first day on
  }

  depends_on = [aws_iam_role_policy_attachment.node, aws_eks_addon.before_nodes]
}

# An executor that is lost to the market is replaced by Spark; a driver or broker would not be, so they stay away.
resource "aws_eks_node_group" "spark" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "spark"
  node_role_arn   = aws_iam_role.node.arn
  subnet_ids      = [for subnet in aws_subnet.private : subnet.id]
  ami_type        = var.ami_type
  instance_types  = var.spark_nodes.types
  capacity_type   = "SPOT"
  labels          = { (local.spark_pool.key) = local.spark_pool.value }

  taint {
    key    = local.spark_pool.key
    value  = local.spark_pool.value
    effect = "NO_SCHEDULE"
  }

  scaling_config {
    min_size     = var.spark_nodes.min
    desired_size = var.spark_nodes.min
    max_size     = var.spark_nodes.max
  }

  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }

  lifecycle {
    ignore_changes = [scaling_config[0].desired_size]
  }

  depends_on = [aws_iam_role_policy_attachment.node, aws_eks_addon.before_nodes]
}
