output "kubeconfig" {
  description = "What to run so that kubectl talks to this cluster."
  value       = "kind export kubeconfig --name ${kind_cluster.this.name}"
}

output "platform" {
  description = "What is installed, and where."
  value       = module.platform
}
