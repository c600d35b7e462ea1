resource "aws_ecr_repository" "this" {
  for_each = toset(["api", "spark", "connect", "ingest"])

  name                 = "${var.name}/millrace-${each.key}"
  image_tag_mutability = "IMMUTABLE" # a tag that was tested is what runs, also after a node is replaced
  force_delete         = var.disposable

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.this["data"].arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = aws_ecr_repository.this

  repository = each.value.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "keep the latest 30"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 30 }
      action       = { type = "expire" }
    }]
  })
}
