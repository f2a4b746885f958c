"""What Lambda runs. The app itself knows nothing of Lambda: uvicorn serves application/main.py."""

from __future__ import annotations

from lambda_streaming import asgi

from .application.main import app

handler = asgi(app)
