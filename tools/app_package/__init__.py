"""Packs somebody's own app into a zip for Lambda, with what it requires and with the library."""
