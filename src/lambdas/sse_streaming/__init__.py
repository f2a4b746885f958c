"""Server-Sent Events streamed natively from a Lambda, traced in both of its phases."""

__version__ = "0.1.0"
