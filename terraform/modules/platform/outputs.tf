output "namespace" {
  description = "Namespace of Millrace."
  value       = kubernetes_namespace_v1.millrace.metadata[0].name
}

output "release" {
  description = "Name and version of what is installed."
  value       = { name = helm_release.millrace.name, version = helm_release.millrace.version, status = helm_release.millrace.status }
}
