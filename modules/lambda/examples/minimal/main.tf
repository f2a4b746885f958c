# Everything with its defaults: callers sign their requests with IAM.

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
}

variable "region" {
  description = "AWS region to deploy to."
  type        = string
  default     = "us-east-1"
}

variable "architecture" {
  description = "CPU that the zip was built for."
  type        = string
  default     = "arm64"
}

variable "python_version" {
  description = "Python that the zip was built for."
  type        = string
  default     = "3.13"
}

variable "package_path" {
  description = "Path of the function's zip; null for where `make package` puts it."
  type        = string
  default     = null
}

variable "service_name" {
  description = "Name of the function and the service."
  type        = string
  default     = "sse-streaming"
}

variable "collector_layer_arn" {
  description = "Another collector layer than AWS's newest known."
  type        = string
  default     = null
}

variable "live_version" {
  description = "Published version to roll back to; null for the newest."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted: false before `terraform destroy`."
  type        = bool
  default     = true
}

module "sse_streaming" {
  source = "../.."

  service_name        = var.service_name
  architecture        = var.architecture
  python_version      = var.python_version
  package_path        = coalesce(var.package_path, "${path.root}/../../../../build/sse-streaming-py${var.python_version}-${var.architecture}.zip")
  collector_layer_arn = var.collector_layer_arn
  live_version        = var.live_version
  deletion_protection = var.deletion_protection
}

output "function_url" {
  description = "Where clients connect."
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

output "callers_policy_arn" {
  description = "Policy to attach to whoever may connect."
  value       = module.sse_streaming.callers_policy_arn
}
