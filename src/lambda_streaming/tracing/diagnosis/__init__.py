"""Why traces do not appear: checks that a running function can make of its own tracing."""
