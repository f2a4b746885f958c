output "url" {
  description = "The stage's URL; ends with a slash."
  value       = "${aws_api_gateway_stage.this.invoke_url}/"
}

output "api_id" {
  description = "Id of the API."
  value       = aws_api_gateway_rest_api.this.id
}

output "stage_arn" {
  description = "ARN of the stage, to associate a web ACL with."
  value       = aws_api_gateway_stage.this.arn
}

output "execution_arn" {
  description = "ARN that policies of callers name."
  value       = aws_api_gateway_rest_api.this.execution_arn
}

output "api_key_ids" {
  description = "Ids of the API keys by the names of their callers."
  value       = { for caller, key in aws_api_gateway_api_key.caller : caller => key.id }
}
