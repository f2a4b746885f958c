"""Server-Sent Events streamed natively from a Lambda, traced in both of its phases."""

from __future__ import annotations

from lambda_streaming import __version__

__all__ = ["__version__"]
