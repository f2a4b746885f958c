"""The console: a page with the live stream, the traces and the faults, and the JSON behind it."""
