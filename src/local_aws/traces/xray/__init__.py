"""The X-Ray document of a span, and what X-Ray would do with it."""
