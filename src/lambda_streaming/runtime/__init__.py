"""The Lambda Runtime API in response-streaming mode. Knows nothing of SSE or DynamoDB."""
