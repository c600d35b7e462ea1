variable "release" {
  description = "Name of the Helm release of Millrace."
  type        = string
  default     = "millrace"
}

variable "namespace" {
  description = "Namespace of Millrace. It is made here, because the operators must know it beforehand."
  type        = string
  default     = "millrace"
}

variable "profile" {
  description = "The chart's values file to start from: values-kind.yaml, values-production.yaml; empty for none."
  type        = string
  default     = ""
}

variable "settings" {
  description = "Values that go over the profile, in the shape of charts/millrace/values.yaml."
  type        = any
  default     = {}
}

variable "overrides" {
  description = "Text of further values files (YAML), the last one wins."
  type        = list(string)
  default     = []
}

variable "catalog_password" {
  description = "Password of an external catalog, put into the secret that `catalog_secret` names; never kept in the state."
  type        = string
  default     = null
  ephemeral   = true
}

variable "catalog_secret" {
  description = "Name of the secret to make for an external catalog; null: none is made."
  type        = string
  default     = null
}

variable "catalog_ca_secret" {
  description = "Name of the secret to make for the authority of an external catalog; null: none is made."
  type        = string
  default     = null
}

variable "catalog_ca" {
  description = "The authority's certificates (PEM) that go into that secret."
  type        = string
  default     = ""
}

variable "storage_classes" {
  description = "Storage classes to make, by name: whether it is the default, its provisioner and its parameters."
  type = map(object({
    default     = bool
    provisioner = string
    parameters  = map(string)
  }))
  default = {}
}

variable "catalog_password_version" {
  description = "Raise it when the password has changed."
  type        = number
  default     = 1
}

variable "strimzi_version" {
  description = "Version of Strimzi's chart."
  type        = string
  default     = "1.2.0"
}

variable "spark_operator_version" {
  description = "Version of spark-operator's chart."
  type        = string
  default     = "2.5.2"
}

variable "timeout" {
  description = "Seconds to wait for each chart. Three brokers and their volumes take some minutes."
  type        = number
  default     = 1200
}
