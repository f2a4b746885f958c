# Browsers of one site, through CloudFront, with alarms to a topic, a key of one's own, signed event
# ids and a reserved share of the account's concurrency.

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

module "sse_streaming" {
  source = "../.."

  package_path         = coalesce(var.package_path, "${path.root}/../../../../build/sse-streaming-py3.13-arm64.zip")
  live_version         = var.live_version
  id_key_parameter     = var.id_key_parameter
  kms_key_arn          = var.kms_key_arn
  alarm_actions        = var.alarm_topic_arn[*]
  deletion_protection  = true
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
    enabled = true
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
