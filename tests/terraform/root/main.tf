# The AWS module alone, against a stand-in for AWS at `endpoint`: neither Helm nor Kubernetes is needed.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

variable "module_settings" {
  type    = any
  default = {}
}

variable "endpoint" {
  type = string
}

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  s3_use_path_style           = true

  endpoints {
    autoscaling    = var.endpoint
    cloudwatchlogs = var.endpoint
    ec2            = var.endpoint
    ecr            = var.endpoint
    eks            = var.endpoint
    iam            = var.endpoint
    kafka          = var.endpoint
    kms            = var.endpoint
    rds            = var.endpoint
    s3             = var.endpoint
    secretsmanager = var.endpoint
    sts            = var.endpoint
  }
}

module "aws" {
  source = "../../../terraform/modules/aws"

  name             = "trial"
  disposable       = try(var.module_settings.disposable, true)
  msk              = try(var.module_settings.msk, true)
  rds              = try(var.module_settings.rds, true)
  nat_per_zone     = try(var.module_settings.nat_per_zone, true)
  api_access_cidrs = try(var.module_settings.api_access_cidrs, [])
  ingest_sources   = try(var.module_settings.ingest_sources, ["arn:aws:s3:::sources/courses/*"])
}

output "aws" {
  value = module.aws
}
