"""A FastAPI service with what a team asks of one: settings, debugging, metrics, uniform errors."""
