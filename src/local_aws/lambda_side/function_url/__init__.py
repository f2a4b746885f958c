"""The Function URL: an HTTP request in, an invocation's response out."""
