# Browsers of one site, through CloudFront, with alarms to a topic, a key of one's own, signed event
# ids, a reserved share of the account's concurrency, and a bound on what one address may ask for.

terraform {
  required_version = ">= 1.9.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { project = "sse-streaming" }
  }
}

# CloudFront's web ACLs are made in us-east-1.
provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"

  default_tags {
    tags = { project = "sse-streaming" }
  }
}

variable "region" {
  description = "AWS region to deploy to."
  type        = string
  default     = "us-east-1"
}

variable "package_path" {
  description = "Path of the function's zip for arm64; null for where `make package` puts it."
  type        = string
  default     = null
}

variable "site_origin" {
  description = "The site whose pages show the stream."
  type        = string
  default     = "https://www.example.com"
}

variable "id_key_parameter" {
  description = "SSM parameter (SecureString) with the key that signs event ids."
  type        = string
  default     = "/sse-streaming/id-key"
}

variable "kms_key_arn" {
  description = "KMS key for environment, logs and tables, whose policy lets CloudWatch Logs use it; null for AWS's own."
  type        = string
  default     = null
}

variable "live_version" {
  description = "Published version to roll back to; null for the newest."
  type        = string
  default     = null
}

variable "alarm_topic_arn" {
  description = "SNS topic that the alarms write to."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted: false before `terraform destroy`."
  type        = bool
  default     = true
}

variable "collector_enabled" {
  description = "Whether the ADOT collector runs beside the function."
  type        = bool
  default     = true
}

# One address opens no more than so many streams in five minutes: a page needs one, and one more each
# time it comes back.
resource "aws_wafv2_web_acl" "site" {
  #checkov:skip=CKV2_AWS_31:Logs of a web ACL hold query strings; the metric counts what it blocks
  #checkov:skip=CKV_AWS_192:There is no Java behind it
  provider = aws.us_east_1

  name        = "sse-streaming-${var.region}"
  description = "Bounds what one address may ask for"
  scope       = "CLOUDFRONT"

  default_action {
    allow {}
  }

  rule {
    name     = "requests-by-address"
    priority = 1

    action {
      block {}
    }

    statement {
      rate_based_statement {
        limit              = 100
        aggregate_key_type = "IP"
      }
    }

    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "requests-by-address"
      sampled_requests_enabled   = false
    }
  }

  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "sse-streaming-${var.region}"
    sampled_requests_enabled   = false
  }
}

module "sse_streaming" {
  source = "../.."

  package_path         = coalesce(var.package_path, "${path.root}/../../../../build/sse-streaming-py3.13-arm64.zip")
  live_version         = var.live_version
  id_key_parameter     = var.id_key_parameter
  kms_key_arn          = var.kms_key_arn
  alarm_actions        = var.alarm_topic_arn[*]
  deletion_protection  = var.deletion_protection
  collector_enabled    = var.collector_enabled
  log_retention_days   = 90
  timeout_seconds      = 180
  reserved_concurrency = 245

  # Short streams cost nothing more, and a closed tab is found out sooner.
  settings = {
    max_stream_seconds = 120
    max_connections    = 200
  }

  cors = {
    allow_origins = [var.site_origin]
  }

  cdn = {
    enabled     = true
    web_acl_arn = aws_wafv2_web_acl.site.arn
  }
}

output "cdn_url" {
  description = "Where browsers connect."
  value       = module.sse_streaming.cdn_url
}

output "function_url" {
  description = "Behind the CDN; for `make verify-aws`."
  value       = module.sse_streaming.function_url
}

output "function_name" {
  description = "Name of the function."
  value       = module.sse_streaming.function_name
}

output "live_version" {
  description = "Published version that receives the traffic."
  value       = module.sse_streaming.live_version
}

output "table_names" {
  description = "Tables to write items and configurations to."
  value       = module.sse_streaming.table_names
}

output "alarm_arns" {
  description = "Alarms by their short names."
  value       = module.sse_streaming.alarm_arns
}
