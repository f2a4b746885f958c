"""For apps that need no code of their own for Lambda: the function's handler setting is
`lambda_streaming.entrypoint.handler`, and STREAMING_APP names the ASGI app (`main:app`)."""

from __future__ import annotations

from lambda_streaming.handlers import asgi_by_environment

handler = asgi_by_environment()
