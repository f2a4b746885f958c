"""Responses that stream natively from Lambda's managed Python, both phases in one X-Ray trace."""

__version__ = "0.1.0"
