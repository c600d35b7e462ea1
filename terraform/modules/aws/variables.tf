variable "name" {
  description = "Name of the cluster and beginning of every other name."
  type        = string
  default     = "millrace"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "name must be 2 to 21 lower-case letters, digits and dashes, because bucket names are made of it."
  }
}

variable "namespace" {
  description = "Kubernetes namespace of the chart; the roles can be taken on only there."
  type        = string
  default     = "millrace"
}

variable "release" {
  description = "Full name that the chart gives its objects, by default the name of the Helm release."
  type        = string
  default     = "millrace"
}

variable "cidr" {
  description = "Addresses of the VPC, a /16 to a /20: it is cut into 16 equal parts, 6 of which are used."
  type        = string
  default     = "10.60.0.0/16"
}

variable "nat_per_zone" {
  description = "One NAT gateway a zone, so that the loss of a zone leaves the others their way out. false: a single one."
  type        = bool
  default     = true
}

variable "kubernetes_version" {
  description = "Minor version of EKS. AWS charges several times as much once it has left standard support."
  type        = string
  default     = "1.35"
}

variable "api_access_cidrs" {
  description = "Addresses from which the Kubernetes API may be reached; none: only from within the VPC."
  type        = list(string)
  default     = []

  validation {
    condition     = !contains(var.api_access_cidrs, "0.0.0.0/0")
    error_message = "api_access_cidrs must not hold 0.0.0.0/0: name your own addresses, such as 203.0.113.7/32."
  }
}

variable "platform_nodes" {
  description = "The node group of brokers, Connect, the API and Spark drivers. At least 3, for one broker in each zone."
  type        = object({ types = list(string), min = number, max = number })
  default     = { types = ["m6i.xlarge"], min = 3, max = 6 }
}

variable "spark_nodes" {
  description = "The spot node group of Spark executors. Several types of one size make it likely that one is to be had."
  type        = object({ types = list(string), min = number, max = number })
  default     = { types = ["m6i.xlarge", "m6a.xlarge", "m5.xlarge", "m5a.xlarge"], min = 1, max = 10 }
}

variable "ami_type" {
  description = "System image of the nodes. Its architecture must fit the node types and the images of Millrace."
  type        = string
  default     = "AL2023_x86_64_STANDARD"
}

variable "ingest_sources" {
  description = "ARNs of the objects that the ingest job may read, such as arn:aws:s3:::my-data/courses/*."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.ingest_sources : can(regex("^arn:[a-z-]+:s3:::[a-z0-9][a-z0-9.-]+/.+$", arn))])
    error_message = "ingest_sources must be ARNs of objects, such as arn:aws:s3:::my-data/courses/*."
  }
}

variable "msk" {
  description = "Make an MSK Serverless cluster, to be used in place of Kafka in the Kubernetes cluster."
  type        = bool
  default     = false
}

variable "rds" {
  description = "Make a PostgreSQL database for the catalog, to be used in place of the one in the Kubernetes cluster."
  type        = bool
  default     = true
}

variable "rds_class" {
  description = "Instance class of the catalog's database."
  type        = string
  default     = "db.t4g.small"
}

variable "disposable" {
  description = "For trials: `terraform destroy` also removes buckets with their objects, images and the catalog, and the catalog runs in one zone."
  type        = bool
  default     = false
}
