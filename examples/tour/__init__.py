"""A FastAPI app that uses what apps on Lambda use, and shows what becomes of it."""
