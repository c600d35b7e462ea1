variable "region" {
  description = "Region of everything; it must have three zones."
  type        = string
  default     = "eu-central-1"
}

variable "name" {
  description = "Name of the cluster and beginning of every other name."
  type        = string
  default     = "millrace"
}

variable "api_access_cidrs" {
  description = "Addresses from which the Kubernetes API may be reached, yours among them, or the charts cannot be installed."
  type        = list(string)
}

variable "install" {
  description = "Whether the operators and Millrace are installed. false at first: the images must be pushed beforehand."
  type        = bool
  default     = false
}

variable "image_tag" {
  description = "Tag of the pushed images; empty: the chart's own version."
  type        = string
  default     = ""
}

variable "msk" {
  description = "MSK Serverless in place of brokers in the cluster."
  type        = bool
  default     = false
}

variable "rds" {
  description = "RDS for the catalog in place of PostgreSQL in the cluster."
  type        = bool
  default     = true
}

variable "rds_ca_file" {
  description = "File with RDS' authorities, from https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem."
  type        = string
  default     = "global-bundle.pem"
}

variable "nat_per_zone" {
  description = "One NAT gateway a zone, or a single one."
  type        = bool
  default     = true
}

variable "ingest_sources" {
  description = "ARNs of the objects that the ingest job may read."
  type        = list(string)
  default     = []
}

variable "hostnames" {
  description = "Names of the API on your gateway (Gateway API), named by `gateway`; none: no route is made."
  type        = list(string)
  default     = []
}

variable "gateway" {
  description = "The gateway that the route belongs to."
  type        = object({ name = string, namespace = string })
  default     = { name = "public", namespace = "gateways" }
}

variable "monitoring" {
  description = "Whether the cluster has the Prometheus operator, so that monitors, alerts and dashboards are made."
  type        = bool
  default     = false
}

variable "values_files" {
  description = "Paths of further values files for the chart; the last one wins."
  type        = list(string)
  default     = []
}

variable "autoscaler_version" {
  description = "Version of the chart of Kubernetes' cluster-autoscaler."
  type        = string
  default     = "9.52.1"
}

variable "disposable" {
  description = "For trials: `terraform destroy` also removes buckets with their objects, images and the catalog."
  type        = bool
  default     = false
}
