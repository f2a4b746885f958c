# Data

variable "feed" {
  description = "The feed that your app streams, as `python -m lambdas.sse_streaming.declaration MODULE:HANDLER` prints it: `jsondecode(file(\"feed.json\"))`. Tables, settings, rights and alarms follow it. Null: no feed with `app`, else the sentiment feed."
  type        = any
  default     = null

  validation {
    condition     = var.feed == null || var.app != null
    error_message = "feed is set and app is not: the sentiment service streams its own feed. Set app = { handler = \"MODULE.HANDLER\" } to the handler that the declaration was printed for, or take feed out."
  }

  validation {
    condition = var.feed == null ? true : alltrue([
      for name in ["event", "partition", "time", "item_id", "index"] : can(regex("^[^[:cntrl:]]{1,255}$", var.feed[name]))
    ])
    error_message = "feed has no text ${join(", ", [for name in ["event", "partition", "time", "item_id", "index"] : name if !can(regex("^[^[:cntrl:]]{1,255}$", var.feed[name]))])}. Make the file anew: python -m lambdas.sse_streaming.declaration MODULE:HANDLER > feed.json, and pass feed = jsondecode(file(\"feed.json\"))."
  }

  validation {
    condition     = var.feed == null ? true : length(distinct([for name in ["partition", "time", "item_id"] : try(var.feed[name], name)])) == 3
    error_message = "feed uses one attribute for two of partition, time and item_id: ${jsonencode({ for name in ["partition", "time", "item_id"] : name => try(var.feed[name], null) })}. An item has an attribute for each."
  }

  validation {
    condition     = var.feed == null ? true : can(regex("^[A-Za-z0-9_.-]{3,255}$", var.feed.index))
    error_message = "feed.index = ${jsonencode(try(var.feed.index, null))} must be 3 to 255 of letters, digits, dot, dash, underscore, as DynamoDB names an index."
  }

  validation {
    condition     = var.feed == null ? true : contains(["fixed", "query", "caller"], try(var.feed.chosen_by, "fixed")) && contains(["ms", "s"], try(var.feed.time_unit, "ms"))
    error_message = "feed.chosen_by = ${jsonencode(try(var.feed.chosen_by, null))} must be \"fixed\", \"query\" or \"caller\", and feed.time_unit = ${jsonencode(try(var.feed.time_unit, null))} \"ms\" or \"s\". Make the file anew with python -m lambdas.sse_streaming.declaration."
  }
}

variable "existing_tables" {
  description = "Names of DynamoDB tables of this account and region to use instead of creating them. Their keys and index must be those of docs/tables.md; they are read and compared."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.existing_tables)) && length(setsubtract(try(keys(var.existing_tables), []), keys(local.existing_tables_defaults))) == 0
    error_message = "existing_tables has no field ${join(", ", try(setsubtract(keys(var.existing_tables), keys(local.existing_tables_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.existing_tables_defaults))}: correct the name, or take it out."
  }

  validation {
    condition     = alltrue([for name in values(var.existing_tables) : name == null ? true : can(regex("^[A-Za-z0-9_.-]{3,255}$", name))])
    error_message = "existing_tables = ${jsonencode(var.existing_tables)} takes table names (3 to 255 of letters, digits, dot, dash, underscore), not ARNs."
  }

  validation {
    condition     = length(compact(values(var.existing_tables))) == length(distinct(compact(values(var.existing_tables))))
    error_message = "existing_tables = ${jsonencode(var.existing_tables)} names one table twice: leases would be read as items. Each of them is a table of its own."
  }

  validation {
    condition     = local.has_feed || length(compact(values(var.existing_tables))) == 0
    error_message = "existing_tables = ${jsonencode(var.existing_tables)} are the tables of a feed, and the app has none. Set feed, or take them out and let app.policy_statements name the tables that the app reads."
  }
}

variable "items_index" {
  description = "Name of the items table's index by partition and time; null for the feed's own, by_sentiment for the sentiment feed."
  type        = string
  default     = null

  validation {
    condition     = var.items_index == null ? true : can(regex("^[A-Za-z0-9_.-]{3,255}$", var.items_index))
    error_message = "items_index = \"${coalesce(var.items_index, "-")}\" must be 3 to 255 of letters, digits, dot, dash, underscore, as DynamoDB names an index."
  }
}

variable "items_ttl_seconds" {
  description = "How long after published_at writers let an item expire (attribute expires_at, epoch seconds). The module only checks it and hands it on as an output: expiry is set by whoever writes."
  type        = number
  default     = 86400
  nullable    = false

  validation {
    condition     = var.items_ttl_seconds >= local.settings.replay_seconds + local.settings.overlap_seconds
    error_message = "items_ttl_seconds = ${var.items_ttl_seconds} is shorter than the replay window and its overlap (${local.settings.replay_seconds + local.settings.overlap_seconds} s): a client could resume into items that are gone already. Raise it or lower settings.replay_seconds."
  }
}

variable "configurations_enabled" {
  description = "Whether there are saved filters. False: no table of them, and no right on one."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition     = var.configurations_enabled || try(var.existing_tables.configurations, null) == null
    error_message = "configurations_enabled = false, and existing_tables.configurations = \"${try(coalesce(var.existing_tables.configurations), "-")}\" would not be read. Take one of them out."
  }
}

variable "deletion_protection" {
  description = "Whether the items and configurations tables made here refuse to be deleted. To remove them, apply with false first: a change of service_name would replace them, too."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key_arn" {
  description = "KMS key for environment variables, log group and tables; null for AWS's own keys. The key's policy must let logs.REGION.amazonaws.com use it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias."
  }

  validation {
    condition     = try(split(":", var.kms_key_arn)[3] == local.place.region, true)
    error_message = "kms_key_arn = \"${coalesce(var.kms_key_arn, "-")}\" is a key of another region than the provider's, ${local.place.region}: Lambda, CloudWatch Logs and DynamoDB take keys of their own region only. Name a key there, or a replica of this one."
  }
}

variable "tables_kms_key_arn" {
  description = "KMS key for the tables made here, if not kms_key_arn. The keys of existing tables are found by themselves."
  type        = string
  default     = null

  validation {
    condition     = var.tables_kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.tables_kms_key_arn)) && try(split(":", var.tables_kms_key_arn)[3] == local.place.region, true)
    error_message = "tables_kms_key_arn = \"${coalesce(var.tables_kms_key_arn, "-")}\" must be the ARN of a key of the provider's region, arn:aws:kms:${local.place.region}:ACCOUNT:key/ID, not of an alias: DynamoDB takes keys of its own region only."
  }
}
