"""The app, which any ASGI server serves."""
