"""Somebody's own app: what it is called, what it needs, when it has changed."""
