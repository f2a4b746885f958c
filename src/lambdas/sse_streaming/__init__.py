"""Server-Sent Events streamed natively from a Lambda, traced in both of its phases."""
