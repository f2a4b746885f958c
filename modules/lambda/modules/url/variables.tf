variable "name" {
  description = "Name of the function."
  type        = string
}

variable "place" {
  description = "Partition, region and account that it is made in."
  type        = object({ partition = string, region = string, account = string })
}

variable "function" {
  description = "The function's name, its alias and the alias' ARN, twice: as its resource and as a plan can show it."
  type        = object({ name = string, alias = string, alias_arn = string, planned_alias_arn = string })
}

variable "authorization" {
  description = "AWS_IAM or NONE."
  type        = string
}

variable "allowed_principals" {
  description = "Accounts, users and roles, of other accounts too, that may use the URL."
  type        = list(string)
}

variable "cors" {
  description = "Which origins may read the answers, and how; null for none."
  type = object({
    allow_origins     = list(string)
    allow_methods     = list(string)
    allow_headers     = list(string)
    expose_headers    = list(string)
    allow_credentials = bool
    max_age_seconds   = number
  })

  validation {
    condition     = var.cors == null ? true : length(var.cors.allow_origins) > 0
    error_message = "cors.allow_origins = [] lets no origin in. Name the sites whose pages read the stream, such as \"https://www.example.com\", or set cors = null."
  }

  validation {
    condition     = var.cors == null ? true : alltrue([for origin in var.cors.allow_origins : origin == "*" || can(regex("^https?://[^/ ]+$", origin))])
    error_message = "cors.allow_origins has ${jsonencode(try([for origin in var.cors.allow_origins : origin if origin != "*" && !can(regex("^https?://[^/ ]+$", origin))], []))}: an origin is scheme, name and port as the browser sends it, without a slash at the end, such as \"https://www.example.com\". With another form no page would get in."
  }

  validation {
    condition     = var.cors == null ? true : !(var.cors.allow_credentials && contains(var.cors.allow_origins, "*"))
    error_message = "cors.allow_origins = ${jsonencode(try(var.cors.allow_origins, []))} must name origins when cors.allow_credentials is true: browsers refuse \"*\" together with credentials, and it would open cookies to every site."
  }

  validation {
    condition     = var.cors == null ? true : var.cors.max_age_seconds >= 0 && var.cors.max_age_seconds <= 86400
    error_message = "cors.max_age_seconds = ${try(var.cors.max_age_seconds, 0)} must be from 0 to 86400, a day."
  }
}

variable "cdn" {
  description = "CloudFront before the URL."
  type = object({
    enabled                    = bool
    aliases                    = list(string)
    certificate_arn            = string
    read_timeout_seconds       = number
    price_class                = string
    web_acl_arn                = string
    wait_for_deployment        = bool
    access_log_bucket          = string
    access_log_prefix          = string
    response_headers_policy_id = string
  })

  validation {
    # More only with a quota of one's own:
    # https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CustomOriginConfig.html
    condition     = var.cdn.read_timeout_seconds >= 1 && var.cdn.read_timeout_seconds <= 120 && floor(var.cdn.read_timeout_seconds) == var.cdn.read_timeout_seconds
    error_message = "cdn.read_timeout_seconds = ${var.cdn.read_timeout_seconds} is not a whole number from 1 to 120, CloudFront's limits."
  }

  validation {
    condition     = length(var.cdn.aliases) == 0 || var.cdn.certificate_arn != null
    error_message = "cdn.aliases = ${jsonencode(var.cdn.aliases)} need cdn.certificate_arn, an ACM certificate of us-east-1 for those names."
  }

  validation {
    condition     = var.cdn.certificate_arn == null ? true : can(regex("^arn:[a-z-]+:acm:us-east-1:[0-9]{12}:certificate/", var.cdn.certificate_arn))
    error_message = "cdn.certificate_arn = \"${coalesce(var.cdn.certificate_arn, "-")}\" must be an ACM certificate of us-east-1 (arn:aws:acm:us-east-1:ACCOUNT:certificate/ID), wherever the function is: CloudFront reads no other region. Ask for one there."
  }

  validation {
    condition     = var.cdn.web_acl_arn == null ? true : can(regex("^arn:[a-z-]+:wafv2:us-east-1:[0-9]{12}:global/webacl/", var.cdn.web_acl_arn))
    error_message = "cdn.web_acl_arn = \"${coalesce(var.cdn.web_acl_arn, "-")}\" must be a web ACL with scope CLOUDFRONT (arn:aws:wafv2:us-east-1:ACCOUNT:global/webacl/NAME/ID), which is made in us-east-1: a regional one cannot stand before CloudFront."
  }

  validation {
    condition     = contains(["PriceClass_100", "PriceClass_200", "PriceClass_All"], var.cdn.price_class)
    error_message = "cdn.price_class = \"${var.cdn.price_class}\" must be PriceClass_100, PriceClass_200 or PriceClass_All."
  }

  validation {
    condition     = var.cdn.access_log_bucket == null ? true : can(regex("[.]s3[.].*amazonaws[.]com", var.cdn.access_log_bucket))
    error_message = "cdn.access_log_bucket = \"${coalesce(var.cdn.access_log_bucket, "-")}\" must be the bucket's domain name, such as logs.s3.amazonaws.com (the attribute bucket_domain_name)."
  }
}

variable "second_long_paths" {
  description = "Paths whose answers CloudFront keeps for a second."
  type        = list(string)
}

variable "tags" {
  description = "Tags."
  type        = map(string)
}
