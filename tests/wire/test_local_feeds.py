"""The local stack with a feed that an app of its own declares."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from local_aws.background import BackgroundStack
from local_aws.feed.publisher import KEPT_SECONDS
from local_aws.feed_of_app import declared_feed, with_feed
from local_aws.settings import SOURCE_ROOT, FunctionSettings, Settings
from tests.fakes.declared_feeds import WEATHER
from tests.fakes.local import feed_settings, get, open_stream, wait_until
from tests.fakes.virtual_time import run_in_real_time

WEATHER_APP = """
import os

from lambdas.sse_streaming import FeedSchema, Filter, FixedValues, feed

print("a module may say something when it is imported")
handler = feed(
    FeedSchema(
        "reading",
        "region",
        FixedValues(("eu", "us"), "region"),
        "timestamp",
        os.environ.get("ITEM_ID", "id"),
        time_unit="s",
        filters=(
            Filter("kind", values=("rain", "sun")),
            Filter("station", "at", pattern="[a-z]+"),
        ),
    )
)
"""


def app_in(folder: Path, source: str) -> Settings:
    (folder / "weather.py").write_text(source, encoding="utf-8")
    function = FunctionSettings(
        handler="weather.handler",
        task_root=folder,
        environment={},
        python_path=(SOURCE_ROOT,),
    )
    return Settings(feed=None, function=function)


def test_a_feed_is_declared_by_the_apps_own_python_and_variables(tmp_path: Path) -> None:
    app = app_in(tmp_path, WEATHER_APP)

    assert run_in_real_time(declared_feed(app)) == WEATHER
    told = replace(app.function, environment={"ITEM_ID": "reading_id"})
    declared = run_in_real_time(declared_feed(replace(app, function=told)))
    assert declared == replace(WEATHER, item_id="reading_id")


@pytest.mark.parametrize(
    "source",
    ["handler = print", "", "import no_such_module", "import sys; sys.exit(0)", "raise ValueError"],
)
def test_anything_else_declares_none(tmp_path: Path, source: str) -> None:
    assert run_in_real_time(declared_feed(app_in(tmp_path, source))) is None


APP = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"hello"})

def handle(event, context, extra=None):
    return {}
"""


def test_an_asgi_app_in_the_place_of_a_handler_is_served_by_the_entrypoint(
    tmp_path: Path,
) -> None:
    (tmp_path / "weather.py").write_text(APP, encoding="utf-8")
    function = FunctionSettings(
        handler="weather.app", task_root=tmp_path, environment={}, python_path=(SOURCE_ROOT,)
    )
    given = Settings(feed=None, port=0, function=function)
    settings = run_in_real_time(with_feed(given, {}))

    assert settings.function.handler == "lambda_streaming.entrypoint.handler"
    with BackgroundStack(settings) as stack:
        assert get(stack.url).text == "hello"
    own = replace(given, function=replace(function, handler="weather.handle"))
    assert run_in_real_time(with_feed(own, {})) == own


def test_the_stack_is_to_a_declared_feed_what_it_is_to_the_service(tmp_path: Path) -> None:
    app_in(tmp_path, WEATHER_APP)
    settings = feed_settings(
        "weather:handler",
        task_root=tmp_path,
        LOCAL_RELOAD="1",
        LOCAL_ITEMS_PER_SECOND="20",
        SSE_OVERLAP_SECONDS="2",
        SSE_POLL_SECONDS="0.2",
        SSE_POLL_MAX_SECONDS="0.2",
    )
    said: list[str] = []
    with BackgroundStack(settings, say=said.append) as stack:
        with open_stream(f"{stack.url}/stream?region=eu&kind=sun") as (_, events):
            samples = [event for event in islice(events, 4) if event.name != "ready"]
        stack.publish_at_rate(0)

        assert {event.name for event in samples} == {"reading"}
        assert {event.data["region"] for event in samples} == {"eu"}
        assert {event.data["kind"] for event in samples} == {"sun"}
        assert get(f"{stack.console_url}/api/info").json()["feed"]["partition"] == "region"

        old = int(time.time()) - KEPT_SECONDS - 60
        stack.publish(id="my own", region="us", timestamp=old)
        stack.publish(id="sample-of-the-stacks", region="us", timestamp=old)
        assert stack.stack.publisher.delete_old() == 1, "of the user's items none is deleted"

        app_in(tmp_path, WEATHER_APP.replace('"timestamp"', '"at"'))
        wait_until(lambda: any("declared in another way" in one for one in said), "it is told of")
