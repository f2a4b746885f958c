"""Threads and waiting, as asyncio does not have them."""
