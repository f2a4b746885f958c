"""The Lambda service: execution environments, their Runtime API, the invocations they serve."""
