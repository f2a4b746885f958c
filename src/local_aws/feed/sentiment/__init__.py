"""The sentiment service, which the stack runs by default: its function, declaration and items."""
