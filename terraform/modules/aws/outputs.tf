output "region" {
  description = "Region of everything."
  value       = local.region
}

output "cluster" {
  description = "Name, address and CA of the Kubernetes cluster."
  value = {
    name     = aws_eks_cluster.this.name
    endpoint = aws_eks_cluster.this.endpoint
    ca       = aws_eks_cluster.this.certificate_authority[0].data
  }
}

output "buckets" {
  description = "Names of the buckets."
  value       = { for kind, bucket in aws_s3_bucket.this : kind => bucket.id }
}

output "registry" {
  description = "Where the images are pushed to: <registry>/millrace-api and so on."
  value       = trimsuffix(aws_ecr_repository.this["api"].repository_url, "/millrace-api")
}

output "repositories" {
  description = "Full addresses of the image repositories."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}

output "roles" {
  description = "ARN of each component's role."
  value       = { for component, role in aws_iam_role.pod : component => role.arn }
}

output "kafka_bootstrap" {
  description = "Addresses of MSK; null without it."
  value       = one(aws_msk_serverless_cluster.this[*].bootstrap_brokers_sasl_iam)
}

output "catalog_secret" {
  description = "The secret in Secrets Manager that holds the catalog's password, and its version; null without RDS."
  value       = var.rds ? { arn = aws_secretsmanager_secret_version.catalog[0].secret_id, version = local.password_version } : null
}
