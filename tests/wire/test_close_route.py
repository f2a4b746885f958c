"""A page asks one environment for the end of the stream that another one sends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.fakes.functions import endless_app
from tests.fakes.managed_runtime import managed_function
from tests.fakes.runtime_api import Event
from tests.fakes.traced_app import url_event

FOLDER = Path(endless_app.__file__).parent
ID = "0123456789abcdef"


@pytest.fixture
def environ() -> Iterator[dict[str, str]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    environ = {
        "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "STREAMING_CLOSE_TABLE": "wishes",
        "OTEL_SDK_DISABLED": "true",
    }
    boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        endpoint_url=environ["AWS_ENDPOINT_URL_DYNAMODB"],
        aws_access_key_id="x",
        aws_secret_access_key="x",
    ).create_table(
        TableName="wishes",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "stream_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "stream_id", "KeyType": "HASH"}],
    )
    yield environ
    server.stop()


def test_a_stream_ends_when_its_page_asks_for_it(environ: dict[str, str]) -> None:
    with (
        managed_function(FOLDER, "endless_app.handler", environ) as streaming,
        managed_function(FOLDER, "endless_app.handler", environ) as other,
    ):
        event = json.loads(url_event("/"))
        event["rawQueryString"] = f"stream_id={ID}"
        streaming.api.add(Event(json.dumps(event).encode()))
        streaming.api.wait_until(lambda: bool(streaming.api.answers()), 20)
        other.api.add(Event(url_event(f"/.streams/{ID}", "DELETE")))
        other.api.wait_until(lambda: len(other.api.polls()) == 2, 20)
        streaming.api.wait_until(lambda: len(streaming.api.polls()) == 2, 20)
        said = streaming.end()

    assert other.api.answers()[0].prelude["statusCode"] == 200
    assert not streaming.api.answers()[0].complete
    assert "ended: closed" in said
