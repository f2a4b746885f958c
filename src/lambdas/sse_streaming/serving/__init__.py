"""Where the service is put together, for one schema, and becomes a handler."""
