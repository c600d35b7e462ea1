# PostgreSQL for the catalog of the lake. Its password is made on the way, is kept in Secrets Manager, and is never in a
# state or plan file: that is what the write-only arguments (_wo) are for. A new one: raise `password_version`.

locals {
  password_version = 1
}

ephemeral "aws_secretsmanager_random_password" "catalog" {
  count = var.rds ? 1 : 0

  password_length     = 40
  exclude_punctuation = true # it becomes part of addresses
}

resource "aws_secretsmanager_secret" "catalog" {
  count = var.rds ? 1 : 0

  name                    = "${var.name}-catalog"
  description             = "Password of the user iceberg"
  kms_key_id              = aws_kms_key.this["data"].arn
  recovery_window_in_days = var.disposable ? 0 : 30
}

resource "aws_secretsmanager_secret_version" "catalog" {
  count = var.rds ? 1 : 0

  secret_id                = aws_secretsmanager_secret.catalog[0].id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.catalog[0].random_password
  secret_string_wo_version = local.password_version
}

# Read back, so that the database gets what is kept, also when an apply was cut off between the two.
ephemeral "aws_secretsmanager_secret_version" "catalog" {
  count = var.rds ? 1 : 0

  secret_id  = aws_secretsmanager_secret_version.catalog[0].secret_id
  version_id = aws_secretsmanager_secret_version.catalog[0].version_id
}

resource "aws_security_group" "catalog" {
  count = var.rds ? 1 : 0

  name        = "${var.name}-catalog"
  description = "PostgreSQL, from the nodes of ${var.name}"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "catalog" {
  count = var.rds ? 1 : 0

  security_group_id            = aws_security_group.catalog[0].id
  referenced_security_group_id = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_db_subnet_group" "catalog" {
  count = var.rds ? 1 : 0

  name       = "${var.name}-catalog"
  subnet_ids = [for subnet in aws_subnet.private : subnet.id]
}

resource "aws_db_instance" "catalog" {
  count = var.rds ? 1 : 0

  identifier     = "${var.name}-catalog"
  engine         = "postgres"
  engine_version = "17" # its default parameters refuse connections without TLS
  instance_class = var.rds_class

  db_name             = "iceberg"
  username            = "iceberg"
  password_wo         = ephemeral.aws_secretsmanager_secret_version.catalog[0].secret_string
  password_wo_version = local.password_version

  allocated_storage     = 20
  max_allocated_storage = 100
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = aws_kms_key.this["data"].arn

  db_subnet_group_name   = aws_db_subnet_group.catalog[0].name
  vpc_security_group_ids = [aws_security_group.catalog[0].id]
  multi_az               = !var.disposable
  publicly_accessible    = false

  auto_minor_version_upgrade      = true
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]

  # The lake's files are worth nothing without the catalog that names the current ones.
  backup_retention_period   = 14
  copy_tags_to_snapshot     = true
  deletion_protection       = !var.disposable
  skip_final_snapshot       = var.disposable
  final_snapshot_identifier = var.disposable ? null : "${var.name}-catalog-final"
}
