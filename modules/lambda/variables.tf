# What is deployed

variable "service_name" {
  description = "Name of the function and of the service in X-Ray; prefix of everything else."
  type        = string
  default     = "sse-streaming"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,46}[a-z0-9]$", var.service_name))
    error_message = "service_name must be 3 to 48 of a-z, 0-9 and '-', begin with a letter and not end with '-': the role is named after service and region, and IAM takes 64 characters."
  }
}

variable "app" {
  description = "Your app instead of the sentiment service, as `make package APP=…` prints it: `handler`; more environment variables; policy statements `{ sid, effect, actions, resources, condition }`; the longest that a stream lasts. Null: the sentiment service."
  type        = any
  default     = null

  validation {
    condition     = var.app == null ? true : can(keys(var.app)) && length(setsubtract(try(keys(var.app), []), keys(local.app_defaults))) == 0
    error_message = "app has no field ${join(", ", try(setsubtract(keys(var.app), keys(local.app_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.app_defaults))}: correct the name, or take it out."
  }

  validation {
    condition     = var.app == null ? true : can(regex("^[A-Za-z_][A-Za-z0-9_/]*([.][A-Za-z_][A-Za-z0-9_]*)+$", var.app.handler))
    error_message = "app.handler = ${jsonencode(try(var.app.handler, null))} names no handler: write MODULE.NAME, such as \"main.handler\", or \"lambda_streaming.entrypoint.handler\" with environment = { STREAMING_APP = \"main:app\" }."
  }

  validation {
    condition     = try(var.app.stream_seconds, null) == null ? true : try(var.app.stream_seconds >= 1 && var.app.stream_seconds <= 900, false)
    error_message = "app.stream_seconds = ${try(var.app.stream_seconds, "-")} is not a number from 1 to 900: Lambda ends every invocation after 900 seconds."
  }

  validation {
    condition = alltrue([
      for statement in try(var.app.policy_statements, []) :
      can(statement.actions) && can(statement.resources) && length(setsubtract(keys(statement), ["sid", "effect", "actions", "resources", "condition"])) == 0
    ])
    error_message = "app.policy_statements has ${jsonencode([for statement in try(var.app.policy_statements, []) : keys(statement)])}: each statement has actions and resources, and may have sid, effect and condition (as in IAM's JSON)."
  }

  validation {
    condition = alltrue([
      for statement in try(var.app.policy_statements, []) :
      !contains(try(flatten([statement.actions]), []), "*") || try(statement.effect, "Allow") == "Deny"
    ])
    error_message = "app.policy_statements allows the action \"*\", which is everything in the account. Name the actions that the app calls, such as \"dynamodb:Query\"."
  }
}

variable "package_path" {
  description = "Path of the function's zip, as `make package` prints it; null with `package` or an image."
  type        = string
  default     = null

  validation {
    condition     = var.package_path == null || var.package == null
    error_message = "package_path = \"${coalesce(var.package_path, "-")}\" and package are both set. Set one: package takes a path, too."
  }

  validation {
    condition     = var.package_path != null || var.package != null
    error_message = "Neither package_path nor package says where the function's code is. Run `make package` and set package_path to the path that it prints."
  }
}

variable "package" {
  description = "Where the function's code is, instead of package_path: `path`, with `sha256` (base64) also where the file is not; or `s3`; or `image_uri` of a container image."
  type        = any
  default     = null

  validation {
    condition     = var.package == null ? true : can(keys(var.package)) && length(setsubtract(try(keys(var.package), []), keys(local.package_defaults))) == 0
    error_message = "package has no field ${join(", ", try(setsubtract(keys(var.package), keys(local.package_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.package_defaults))}: correct the name, or take it out."
  }

  validation {
    condition     = var.package == null ? true : length([for name in ["path", "s3", "image_uri"] : name if try(var.package[name], null) != null]) == 1
    error_message = "package needs one of path, s3 and image_uri, and has ${jsonencode(try(keys(var.package), []))}."
  }

  validation {
    condition     = try(var.package.s3, null) == null ? true : can(regex("^[A-Za-z0-9+/]{43}=$", var.package.s3.sha256)) && can(var.package.s3.bucket) && can(var.package.s3.key)
    error_message = "package.s3 needs bucket, key and sha256, and takes version; it has ${jsonencode(try(var.package.s3, null))}. sha256 is the zip's digest in base64, by which a new zip is noticed: openssl dgst -sha256 -binary ZIP | base64"
  }

  validation {
    condition     = try(var.package.sha256, null) == null ? true : can(regex("^[A-Za-z0-9+/]{43}=$", var.package.sha256))
    error_message = "package.sha256 = \"${try(var.package.sha256, "-")}\" is no SHA-256 in base64 (44 characters). Take the output package_sha256, or: openssl dgst -sha256 -binary ZIP | base64"
  }

  validation {
    condition     = try(var.package.image_uri, null) == null ? true : can(regex("^[0-9]{12}[.]dkr[.]ecr[.][a-z0-9-]+[.]amazonaws[.]com(.cn)?/.+[:@].+$", var.package.image_uri))
    error_message = "package.image_uri = \"${try(var.package.image_uri, "-")}\" is no image of ECR with a tag or digest: ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:… Lambda takes images from ECR only."
  }
}

variable "architecture" {
  description = "CPU of the function, its zip and the collector layer: `arm64` (a fifth cheaper) or `x86_64`."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be \"arm64\" or \"x86_64\"."
  }
}

variable "python_version" {
  description = "Python of the managed runtime: `3.11` to `3.14`; the zip must be built for it."
  type        = string
  default     = "3.13"
  nullable    = false

  validation {
    condition     = contains(["3.11", "3.12", "3.13", "3.14"], var.python_version)
    error_message = "python_version must be \"3.11\", \"3.12\", \"3.13\" or \"3.14\"."
  }
}

variable "memory_mb" {
  description = "Memory of one connection's execution environment, shared by Python and the collector. It decides the price: docs/costs.md."
  type        = number
  default     = 512
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb must be a whole number from 128 to 10240."
  }
}

variable "timeout_seconds" {
  description = "When Lambda kills the function. Streams end themselves before: see settings."
  type        = number
  default     = 330
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds must be a whole number from 1 to 900, Lambda's limit."
  }

  validation {
    condition     = local.stream_seconds < var.timeout_seconds - local.margin_seconds
    error_message = "timeout_seconds = ${var.timeout_seconds} leaves no room for a stream of ${local.has_feed ? "settings.max_stream_seconds" : "app.stream_seconds"} = ${local.stream_seconds} and ${local.has_feed ? "settings.deadline_margin_seconds = " : "a margin of "}${local.margin_seconds}: Lambda would kill streams instead of letting them end. Set timeout_seconds above ${local.stream_seconds + local.margin_seconds}, or shorten the streams."
  }
}

variable "reserved_concurrency" {
  description = "Execution environments set aside for this function, or null for the account's shared pool; `0` stops the function at once. One connection holds one. New accounts may have too few to set any aside. Required where a door is public."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 0 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency = ${coalesce(var.reserved_concurrency, -1)} is not a whole number from 0. Set 0 to stop the function, or null for the account's shared pool."
  }

  validation {
    condition     = try(var.reserved_concurrency == null || var.reserved_concurrency == 0 || !local.has_feed, true) ? true : var.reserved_concurrency >= ceil(local.settings.max_connections * 6 / 5) + 5
    error_message = "reserved_concurrency = ${coalesce(var.reserved_concurrency, -1)} is too small for settings.max_connections = ${local.settings.max_connections}: Lambda would refuse with a 429, after which a browser's EventSource never comes back, before the function can refuse softly. Set at least ${ceil(local.settings.max_connections * 6 / 5) + 5} (the connections, 20 % and 5), 0 to stop everything, or null."
  }

  validation {
    condition     = var.reserved_concurrency != null || !local.is_public || var.allow_unlimited_public
    error_message = "reserved_concurrency = null, and a door is public (url_authorization = \"NONE\", cdn.enabled or rest.authorization = \"NONE\"): one anonymous client could hold every connection of the account, and each costs money while it is open. Set reserved_concurrency${local.has_feed ? " to at least ${ceil(local.settings.max_connections * 6 / 5) + 5}" : ""}, or allow_unlimited_public = true."
  }
}

variable "live_version" {
  description = "Published version that receives the traffic; null for the newest. Set an older one to roll back."
  type        = string
  default     = null

  validation {
    condition     = var.live_version == null ? true : can(regex("^[1-9][0-9]*$", var.live_version))
    error_message = "live_version must be the number of a published version, such as \"41\", or null for the newest."
  }
}

variable "deployment" {
  description = "How a new version comes to the traffic. `weights`: share of one more version beside live_version, such as `{ \"42\" = 0.1 }`. `codedeploy`: `{ configuration, alarms }`, with alarms that take a deployment back. `provisioned`: environments kept warm."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.deployment)) && length(setsubtract(try(keys(var.deployment), []), keys(local.deployment_defaults))) == 0
    error_message = "deployment has no field ${join(", ", try(setsubtract(keys(var.deployment), keys(local.deployment_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.deployment_defaults))}: correct the name, or take it out."
  }

  validation {
    condition = alltrue([
      for version, share in try(var.deployment.weights, {}) : can(regex("^[1-9][0-9]*$", version)) && try(share > 0 && share < 1, false)
    ]) && length(try(var.deployment.weights, {})) <= 1
    error_message = "deployment.weights = ${jsonencode(try(var.deployment.weights, {}))} must have one version and its share above 0 and below 1, such as { \"42\" = 0.1 }: an alias takes two versions at most."
  }

  validation {
    condition     = length(try(var.deployment.weights, {})) == 0 || var.live_version != null
    error_message = "deployment.weights = ${jsonencode(try(var.deployment.weights, {}))} needs live_version: without it the newest version is live with all that is left. Set live_version to the version that has the traffic now."
  }

  validation {
    condition     = try(var.deployment.provisioned, null) == null ? true : try(var.deployment.provisioned >= 1 && floor(var.deployment.provisioned) == var.deployment.provisioned, false)
    error_message = "deployment.provisioned = ${try(var.deployment.provisioned, "-")} is not a whole number from 1. Take it out for none."
  }

  validation {
    condition     = try(var.deployment.provisioned <= var.reserved_concurrency, true)
    error_message = "deployment.provisioned = ${try(var.deployment.provisioned, "-")} is above reserved_concurrency = ${coalesce(var.reserved_concurrency, -1)}: provisioned environments are part of the reserved ones. Raise reserved_concurrency or lower provisioned."
  }

  validation {
    condition     = try(var.deployment.codedeploy, null) == null ? true : var.live_version != null
    error_message = "deployment.codedeploy needs live_version: CodeDeploy moves the alias, and without live_version the next apply would move it to the newest version at once. Deploy without codedeploy first, then set live_version to the output live_version."
  }

  validation {
    condition     = try(var.deployment.codedeploy, null) == null ? true : length(setsubtract(keys(var.deployment.codedeploy), keys(local.codedeploy_defaults))) == 0
    error_message = "deployment.codedeploy has the fields ${jsonencode(try(keys(var.deployment.codedeploy), []))}; it takes ${join(" and ", keys(local.codedeploy_defaults))}."
  }

  validation {
    condition     = try(var.deployment.codedeploy, null) == null ? true : try(var.watch.alarms, true) != false
    error_message = "deployment.codedeploy needs the alarms, and watch.alarms = false leaves them out: nothing would take a bad deployment back. Leave watch.alarms at true."
  }
}

variable "role_arn" {
  description = "An existing role for the function, which lets Lambda assume it and has what the output policy_json says. Null: the module makes one."
  type        = string
  default     = null

  validation {
    condition     = var.role_arn == null ? true : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/", var.role_arn))
    error_message = "role_arn = \"${coalesce(var.role_arn, "-")}\" must be the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME."
  }

  validation {
    condition     = var.role_arn == null || var.permissions_boundary_arn == null
    error_message = "permissions_boundary_arn = \"${coalesce(var.permissions_boundary_arn, "-")}\" would bound no role: role_arn = \"${coalesce(var.role_arn, "-")}\" exists already. Set the boundary on that role, or take role_arn out."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the function's role, where the organisation demands one."
  type        = string
  default     = null
}

# How it behaves

variable "settings" {
  description = "The function's SSE_* environment variables, in lower case and without the prefix. Each is explained in docs/settings.md."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.settings)) && length(setsubtract(try(keys(var.settings), []), keys(local.settings_defaults))) == 0
    error_message = "settings has no field ${join(", ", try(setsubtract(keys(var.settings), keys(local.settings_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.settings_defaults))}: correct the name, or take it out."
  }

  validation {
    condition     = local.has_feed || length(keys(var.settings)) == 0
    error_message = "settings = ${jsonencode(var.settings)} sets the sentiment service's SSE_* variables, which the app ${try(var.app.handler, "-")} does not read. Set app.environment (STREAMING_*), or feed if the app streams one."
  }
}

variable "id_key_parameter" {
  description = "Name of an SSM parameter (SecureString, 16 to 64 bytes) that signs event ids: SSE_ID_KEY. Null: ids are tamper-evident only and a reconnect cannot take over its slot. Required where a door is public. The value is in Terraform's state."
  type        = string
  default     = null

  validation {
    condition     = var.id_key_parameter != null || !local.is_public || !local.has_feed
    error_message = "id_key_parameter = null, and a door is public (url_authorization = \"NONE\", cdn.enabled or rest.authorization = \"NONE\"): anybody could forge event ids. Store a key with: aws ssm put-parameter --type SecureString --name /${var.service_name}/id-key --value \"$(openssl rand -hex 16)\", and set id_key_parameter to its name."
  }

  validation {
    condition     = var.id_key_parameter == null || local.has_feed
    error_message = "id_key_parameter = \"${coalesce(var.id_key_parameter, "-")}\" signs the event ids of a feed, and the app has none. Set feed, or take it out."
  }
}

variable "id_key_previous_parameter" {
  description = "Name of the SSM parameter with the key that signed event ids until now: SSE_ID_KEY_PREVIOUS. Set while the key is changed; ids of both are honoured."
  type        = string
  default     = null

  validation {
    condition     = var.id_key_previous_parameter == null || (var.id_key_parameter != null && var.id_key_parameter != var.id_key_previous_parameter)
    error_message = "id_key_previous_parameter = \"${coalesce(var.id_key_previous_parameter, "-")}\" needs another id_key_parameter beside it, which has ${jsonencode(var.id_key_parameter)}: the new key signs, the previous one is only honoured. Store the new key under a name of its own."
  }
}

variable "environment" {
  description = "Further environment variables of the function, such as OTEL_SDK_DISABLED (the tracing kill switch) or POWERTOOLS_LOG_LEVEL (above WARNING it silences the alarm of lost spans)."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = !contains(keys(merge(try(var.app.environment, {}), var.environment)), "AWS_LAMBDA_EXEC_WRAPPER")
    error_message = "environment must not set AWS_LAMBDA_EXEC_WRAPPER: the collector layer is a sidecar only, and its wrapper would instrument the process a second time. Remove the variable."
  }

  validation {
    condition     = length(setintersection(keys(merge(try(var.app.environment, {}), var.environment)), ["POWERTOOLS_SERVICE_NAME", "OTEL_SERVICE_NAME"])) == 0
    error_message = "environment must not set POWERTOOLS_SERVICE_NAME or OTEL_SERVICE_NAME: if they differ, X-Ray shows one function as two services. Set service_name, which becomes both."
  }

  validation {
    condition     = !anytrue([for name in keys(merge(try(var.app.environment, {}), var.environment)) : (startswith(name, "SSE_") && local.has_feed) || name == "OTEL_EXPORTER_OTLP_ENDPOINT"])
    error_message = "environment must not set SSE_* variables or OTEL_EXPORTER_OTLP_ENDPOINT: the module sets them. Use settings, the table variables, id_key_parameter or metrics_namespace."
  }

  validation {
    condition     = length(setintersection(keys(merge(try(var.app.environment, {}), var.environment)), local.reserved_names)) == 0
    error_message = "environment or app.environment sets ${join(", ", setintersection(keys(merge(try(var.app.environment, {}), var.environment)), local.reserved_names))} (environment has ${length(var.environment)} variables), which Lambda sets itself and refuses. Take another name."
  }

  validation {
    condition     = alltrue([for name in keys(merge(try(var.app.environment, {}), var.environment)) : can(regex("^[A-Za-z][A-Za-z0-9_]+$", name))])
    error_message = "environment or app.environment has ${jsonencode(keys(merge(try(var.app.environment, {}), var.environment)))}: the name of a variable has two or more letters, digits and underscores, and begins with a letter."
  }
}
