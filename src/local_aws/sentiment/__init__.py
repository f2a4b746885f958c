"""The service that the stack runs by default: its tables, its items and who publishes them."""
