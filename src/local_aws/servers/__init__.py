"""The base of every listener: connections, HTTP, and the requests that a port refuses."""
