# The three tables. Any of them can be an existing one instead, which is then read and compared with
# docs/tables.md before anything is changed.

locals {
  names = {
    items          = coalesce(var.existing_tables.items, "${var.name}-items")
    connections    = coalesce(var.existing_tables.connections, "${var.name}-connections")
    configurations = var.configurations_enabled ? coalesce(var.existing_tables.configurations, "${var.name}-configurations") : null
  }

  arns = {
    for table, name in local.names :
    table => name == null ? null : "arn:${var.place.partition}:dynamodb:${var.place.region}:${var.place.account}:table/${name}"
  }
}

resource "aws_dynamodb_table" "items" {
  #checkov:skip=CKV_AWS_119:DynamoDB encrypts with its own key by default; kms_key_arn brings the operator's
  count = var.existing_tables.items == null ? 1 : 0

  name                        = local.names.items
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = var.schema.item_id
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = var.schema.item_id
    type = "S"
  }

  attribute {
    name = var.schema.partition
    type = "S"
  }

  attribute {
    name = var.schema.time
    type = "N"
  }

  global_secondary_index {
    name            = var.schema.index
    hash_key        = var.schema.partition
    range_key       = var.schema.time
    projection_type = "ALL"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn[*]

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  tags = var.tags
}

resource "aws_dynamodb_table" "connections" {
  #checkov:skip=CKV_AWS_28:Leases live for seconds; restoring old ones would only block slots
  #checkov:skip=CKV2_AWS_16:The table is billed by request and scales by itself
  #checkov:skip=CKV_AWS_119:DynamoDB encrypts with its own key by default; kms_key_arn brings the operator's
  count = var.existing_tables.connections == null ? 1 : 0

  name         = local.names.connections
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn[*]

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  tags = var.tags
}

resource "aws_dynamodb_table" "configurations" {
  #checkov:skip=CKV_AWS_119:DynamoDB encrypts with its own key by default; kms_key_arn brings the operator's
  count = var.configurations_enabled && var.existing_tables.configurations == null ? 1 : 0

  name                        = local.names.configurations
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "config_id"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "config_id"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn[*]

    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }

  tags = var.tags
}
