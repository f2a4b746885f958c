"""The sentiment service, which the stack runs by default: its function, tables and items."""
