# The three tables. Any of them can be an existing one instead.

locals {
  items_table_name          = coalesce(var.existing_tables.items, "${var.service_name}-items")
  connections_table_name    = coalesce(var.existing_tables.connections, "${var.service_name}-connections")
  configurations_table_name = coalesce(var.existing_tables.configurations, "${var.service_name}-configurations")

  table_arns = {
    for table, name in {
      items          = local.items_table_name
      connections    = local.connections_table_name
      configurations = local.configurations_table_name
    } : table => "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${name}"
  }
}

resource "aws_dynamodb_table" "items" {
  #checkov:skip=CKV_AWS_119:DynamoDB encrypts with its own key by default; kms_key_arn brings the operator's
  count = var.existing_tables.items == null ? 1 : 0

  name                        = local.items_table_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "item_id"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "item_id"
    type = "S"
  }

  attribute {
    name = "sentiment_type"
    type = "S"
  }

  attribute {
    name = "published_at"
    type = "N"
  }

  global_secondary_index {
    name            = var.items_index
    hash_key        = "sentiment_type"
    range_key       = "published_at"
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

  name         = local.connections_table_name
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
  count = var.existing_tables.configurations == null ? 1 : 0

  name                        = local.configurations_table_name
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
