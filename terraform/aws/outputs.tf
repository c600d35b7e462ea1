output "kubeconfig" {
  description = "What to run so that kubectl talks to this cluster."
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${module.aws.cluster.name}"
}

output "docker_login" {
  description = "What to run before images are pushed."
  value       = "aws ecr get-login-password --region ${var.region} | docker login --username AWS --password-stdin ${split("/", module.aws.registry)[0]}"
}

output "registry" {
  description = "Where the images are pushed to: <registry>/millrace-api and so on."
  value       = module.aws.registry
}

output "buckets" {
  description = "Names of the buckets."
  value       = module.aws.buckets
}

output "roles" {
  description = "ARN of each component's role."
  value       = module.aws.roles
}

output "kafka_bootstrap" {
  description = "Addresses of MSK; null without it."
  value       = module.aws.kafka_bootstrap
}

output "catalog_secret" {
  description = "Where the catalog's password is kept; null without RDS."
  value       = module.aws.catalog_secret
}

output "platform" {
  description = "What is installed, and where; null before the first `-var install=true`."
  value       = one(module.platform[*])
}
