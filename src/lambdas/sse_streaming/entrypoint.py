"""The function's `handler` setting names this module: `lambdas.sse_streaming.entrypoint.handler`.

The service is composed when Lambda's runtime looks the handler up, and not before: importing this
module starts nothing.
"""

from __future__ import annotations

from lambdas.sse_streaming.sentiment import SENTIMENT
from lambdas.sse_streaming.serving.feed_handler import feed

handler = feed(SENTIMENT)
