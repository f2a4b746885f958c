"""An API Gateway REST API before the function: stages, payload format 1.0."""
