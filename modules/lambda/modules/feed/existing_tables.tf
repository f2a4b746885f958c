# What is wrong with an existing table shows in the plan, not in the first client's stream.

# The conditions here name no managed resource: one with changes to come would put off the reading to
# the apply.
locals {
  existing = { for table, name in var.existing_tables : table => name if name != null && (table != "configurations" || var.configurations_enabled) }

  keys = {
    items          = { hash = var.schema.item_id, range = null }
    connections    = { hash = "pk", range = "sk" }
    configurations = { hash = "config_id", range = null }
  }

  # A table's own key, which the function needs to read it.
  table_keys = distinct(compact(flatten([
    for table in data.aws_dynamodb_table.existing : table.server_side_encryption[*].kms_key_arn
  ])))
}

data "aws_dynamodb_tables" "all" {
  count = length(local.existing) == 0 ? 0 : 1

  lifecycle {
    postcondition {
      condition     = alltrue([for name in values(local.existing) : contains(self.names, name)])
      error_message = "existing_tables names ${join(", ", [for table, name in local.existing : "${table} = \"${name}\"" if !contains(self.names, name)])}, and there is no such table in the provider's account and region. Correct the name or the provider's region, or leave the field out: the module then makes the table."
    }
  }
}

data "aws_dynamodb_table" "existing" {
  for_each = local.existing

  name = each.value

  lifecycle {
    precondition {
      condition     = contains(data.aws_dynamodb_tables.all[0].names, each.value)
      error_message = "There is no table \"${each.value}\"."
    }

    postcondition {
      condition = self.hash_key == local.keys[each.key].hash && (
        # An items table may have a second key: positions come from the index.
        each.key == "items" || coalesce(self.range_key, "-") == coalesce(local.keys[each.key].range, "-")
      )
      error_message = "existing_tables.${each.key} = \"${each.value}\" has the keys ${join(", ", compact([self.hash_key, self.range_key]))}; needed are ${join(", ", compact([local.keys[each.key].hash, local.keys[each.key].range]))} (docs/tables.md). Name another table, or leave the field out: the module then makes one."
    }

    postcondition {
      condition = each.key != "items" || anytrue([
        for index in self.global_secondary_index :
        index.name == var.schema.index && index.hash_key == var.schema.partition && index.range_key == var.schema.time && index.projection_type == "ALL"
      ])
      error_message = "existing_tables.items = \"${each.value}\" has no index \"${var.schema.index}\" by ${var.schema.partition} and ${var.schema.time} with all attributes; its indexes: ${jsonencode([for index in self.global_secondary_index : "${index.name} by ${index.hash_key}, ${coalesce(index.range_key, "-")}, ${index.projection_type}"])}. Add the index, or name it in items_index."
    }

    postcondition {
      condition = each.key != "items" || alltrue([
        for attribute in self.attribute :
        attribute.type == { (var.schema.item_id) = "S", (var.schema.partition) = "S", (var.schema.time) = "N" }[attribute.name]
        if contains([var.schema.item_id, var.schema.partition, var.schema.time], attribute.name)
      ])
      error_message = "existing_tables.items = \"${each.value}\" has key attributes of other types: ${jsonencode({ for attribute in self.attribute : attribute.name => attribute.type })}. ${var.schema.item_id} and ${var.schema.partition} must be strings (S) and ${var.schema.time} a number (N)."
    }
  }
}
