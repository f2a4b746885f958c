"""An API Gateway HTTP API before the function: payload format 2.0, buffered."""
