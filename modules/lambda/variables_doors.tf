# Who may connect

variable "url_authorization" {
  description = "`AWS_IAM`: callers sign their requests (callers_policy_arn lets them). `NONE`: everybody on the internet may open streams, each of which costs money while it is open. A change keeps the URL."
  type        = string
  default     = "AWS_IAM"
  nullable    = false

  validation {
    condition     = contains(["AWS_IAM", "NONE"], var.url_authorization)
    error_message = "url_authorization must be \"AWS_IAM\" or \"NONE\"."
  }

  validation {
    condition     = local.settings.auth != "iam" || var.url_authorization == "AWS_IAM"
    error_message = "settings.auth = \"iam\" needs url_authorization = \"AWS_IAM\": without it no request carries a caller."
  }
}

variable "allowed_principals" {
  description = "Accounts (12 digits) and ARNs of roles and users, of other accounts too, that may use the Function URL. Those of other accounts also need the two statements of the callers policy at home."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for principal in var.allowed_principals : can(regex("^([0-9]{12}|arn:[a-z-]+:iam::[0-9]{12}:(root|(role|user)/.+))$", principal))])
    error_message = "allowed_principals = ${jsonencode(var.allowed_principals)} must be account numbers of 12 digits, or ARNs of roles or users (arn:aws:iam::ACCOUNT:role/NAME). For everybody set url_authorization = \"NONE\"."
  }

  validation {
    condition     = length(var.allowed_principals) == 0 || var.url_authorization == "AWS_IAM"
    error_message = "allowed_principals = ${jsonencode(var.allowed_principals)} means nothing with url_authorization = \"NONE\": everybody may. Take it out, or set url_authorization = \"AWS_IAM\"."
  }
}

variable "allow_unlimited_public" {
  description = "Whether a public door may stand without reserved_concurrency: then anybody can use up the account's concurrency, and its money."
  type        = bool
  default     = false
  nullable    = false
}

variable "cors" {
  description = "Browser origins that may read the stream, and how. Null: no other origin may. A feed's methods are GET, POST and DELETE, an app's all."
  type        = any
  default     = null

  validation {
    condition     = var.cors == null ? true : can(keys(var.cors)) && length(setsubtract(try(keys(var.cors), []), keys(local.cors_defaults))) == 0
    error_message = "cors has no field ${join(", ", try(setsubtract(keys(var.cors), keys(local.cors_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.cors_defaults))}: correct the name, or take it out."
  }
}

variable "cdn" {
  description = "CloudFront in front of the Function URL, which then answers CloudFront and holders of the callers policy. aliases need certificate_arn (ACM, us-east-1). HTTPS only; the trace header of viewers is not passed on; the status answer is kept for a second."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.cdn)) && length(setsubtract(try(keys(var.cdn), []), keys(local.cdn_defaults))) == 0
    error_message = "cdn has no field ${join(", ", try(setsubtract(keys(var.cdn), keys(local.cdn_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.cdn_defaults))}: correct the name, or take it out."
  }

  validation {
    condition     = try(!var.cdn.enabled, true) || var.url_authorization == "AWS_IAM"
    error_message = "cdn.enabled = ${try(var.cdn.enabled, false)} needs url_authorization = \"AWS_IAM\": with NONE everybody could go around CloudFront."
  }

  validation {
    condition     = try(!var.cdn.enabled, true) || !local.has_feed || try(local.settings.heartbeat_seconds < try(coalesce(var.cdn.read_timeout_seconds), 60), true)
    error_message = "settings.heartbeat_seconds = ${local.settings.heartbeat_seconds} must be below cdn.read_timeout_seconds = ${try(coalesce(var.cdn.read_timeout_seconds), 60)}: CloudFront closes a stream that is silent for that long."
  }

  validation {
    condition     = try(!var.cdn.enabled, true) || local.settings.auth != "iam"
    error_message = "settings.auth = \"iam\" does not work behind the CDN (cdn.enabled = ${try(var.cdn.enabled, false)}): CloudFront signs every request as itself, so all callers would be one. Use settings.auth = \"none\" or turn the CDN off."
  }
}

variable "rest" {
  description = "An API Gateway REST API before the function, with response streaming, beside the Function URL; `{}` takes the defaults, null makes none. `authorization`: AWS_IAM, NONE, CUSTOM (a Lambda authorizer) or COGNITO_USER_POOLS. `api_keys`: names of callers, who each get a key."
  type        = any
  default     = null

  validation {
    condition     = var.rest == null ? true : can(keys(var.rest)) && length(setsubtract(try(keys(var.rest), []), keys(local.rest_defaults))) == 0
    error_message = "rest has no field ${join(", ", try(setsubtract(keys(var.rest), keys(local.rest_defaults)), ["of that kind"]))}. Its fields are ${join(", ", keys(local.rest_defaults))}: correct the name, or take it out."
  }
}
