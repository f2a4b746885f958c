# What a mocked provider cannot invent: values whose form Terraform or the module checks.

mock_data "aws_partition" {
  defaults = { partition = "aws" }
}

mock_data "aws_region" {
  defaults = { name = "us-east-1" }
}

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_iam_policy_document" {
  defaults = { json = "{}" }
}

mock_data "aws_ssm_parameter" {
  defaults = { value = "sixteen-bytes-or-more" }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/sse-streaming" }
}

mock_resource "aws_lambda_function_url" {
  defaults = { function_url = "https://example.lambda-url.us-east-1.on.aws/" }
}

mock_resource "aws_cloudfront_distribution" {
  defaults = { arn = "arn:aws:cloudfront::123456789012:distribution/EXAMPLE" }
}
