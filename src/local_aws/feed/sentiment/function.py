"""The sentiment service's function."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from local_aws.feed.function import feed_environment
from local_aws.feed.sentiment.declaration import SENTIMENT

NAME = "sse-streaming"
HANDLER = "lambdas.sse_streaming.entrypoint.handler"
ENVIRONMENT: Mapping[str, str] = MappingProxyType(feed_environment(SENTIMENT, name=NAME))
