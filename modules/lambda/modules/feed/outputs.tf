output "environment" {
  description = "Environment variables of the function."
  value       = local.environment
}

output "policy_statements" {
  description = "What the function's role may do."
  value       = local.policy_statements
}

output "alarms" {
  description = "Alarms on the function's own metrics."
  value       = local.alarms
}

output "table_names" {
  description = "Names of the tables."
  value = {
    items          = local.names.items
    connections    = local.names.connections
    configurations = local.names.configurations
  }
}

output "table_arns" {
  description = "ARNs of the tables."
  value       = local.arns
}
