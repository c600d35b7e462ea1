# What the chart must know about this AWS, in the shape of its values.yaml.

locals {
  spark_scheduling = {
    nodeSelector = { (local.spark_pool.key) = local.spark_pool.value }
    tolerations = [
      { key = local.spark_pool.key, operator = "Equal", value = local.spark_pool.value, effect = "NoSchedule" },
    ]
  }

  settings = {
    image = { registry = trimsuffix(aws_ecr_repository.this["api"].repository_url, "/millrace-api") }

    storage = {
      buckets = { for kind, bucket in aws_s3_bucket.this : kind => bucket.id }
      # No endpoint and no keys: S3 itself, by the roles of the service accounts.
      external = { enabled = true, endpoint = "", region = local.region, existingSecret = "" }
    }

    # The buckets are here already, and no role may make any.
    provision = { buckets = false }

    # A batch that loses its executor is repaired, so that the stream's may stand on the same nodes.
    stream = { executor = { scheduling = local.spark_scheduling } }

    training = { executor = { scheduling = local.spark_scheduling } }

    # The Kubernetes API has an address in the VPC and one as a service.
    networkPolicy = {
      apiServer = {
        cidrs = compact([var.cidr, aws_eks_cluster.this.kubernetes_network_config[0].service_ipv4_cidr])
        ports = [443]
      }
    }
  }

  kafka_settings = {
    for kind, settings in {
      external = {
        keepOnUninstall = false
        external = {
          enabled          = true
          bootstrap        = one(aws_msk_serverless_cluster.this[*].bootstrap_brokers_sasl_iam)
          securityProtocol = "SASL_SSL"
          saslMechanism    = "AWS_MSK_IAM"
        }
      }
      own = { rack = { topologyKey = "topology.kubernetes.io/zone" } }
    } : "kafka" => settings if(kind == "external") == var.msk
  }

  catalog_settings = {
    for kind, settings in {
      external = {
        external = {
          enabled        = true
          jdbc           = try("jdbc:postgresql://${aws_db_instance.catalog[0].endpoint}/iceberg", "")
          user           = "iceberg"
          existingSecret = "${var.release}-catalog-login"
          # RDS' own authority: encryption alone would not tell whom the password is sent to.
          caSecret = "${var.release}-catalog-ca"
        }
      }
      own = { external = { enabled = false, jdbc = "", user = "", existingSecret = "", caSecret = "" } }
    } : "catalog" => settings if(kind == "external") == var.rds
  }
}

output "settings" {
  description = "Values for the chart."
  value       = merge(local.settings, local.kafka_settings, local.catalog_settings)
}
