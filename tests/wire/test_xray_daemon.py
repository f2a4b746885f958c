"""The daemon stand-in over a real socket, with the X-Ray SDK's own emitter as its client."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from aws_xray_sdk.core.emitters.udp_emitter import UDPEmitter
from aws_xray_sdk.core.models.segment import Segment
from aws_xray_sdk.core.models.subsegment import Subsegment

from local_aws.traces.receivers.xray_daemon import (
    MalformedDatagramError,
    XRayDaemon,
    parse_datagram,
)
from local_aws.traces.store import TraceStore
from tests.fakes.local import wait_until
from tests.fakes.receivers import running_daemon

TRACE_ID = "1-6afd86c0-000000000000000000000001"
HEADER = b'{"format":"json","version":1}\n'


@pytest.fixture
def store() -> TraceStore:
    return TraceStore()


@pytest.fixture
def daemon(store: TraceStore) -> Iterator[XRayDaemon]:
    with running_daemon(store) as running:
        yield running


def send(daemon: XRayDaemon, datagram: bytes) -> None:
    host, port = daemon.address.split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(datagram, (host, int(port)))


def test_takes_what_the_real_sdk_sends(daemon: XRayDaemon, store: TraceStore) -> None:
    segment = Segment("sse-streaming", traceid=TRACE_ID, parent_id="a" * 16)
    subsegment = Subsegment("## handler", "local", segment)
    segment.add_subsegment(subsegment)
    subsegment.put_annotation("ColdStart", True)
    subsegment.close()
    emitter = UDPEmitter(daemon.address)
    emitter.send_entity(subsegment)
    wait_until(lambda: len(daemon.documents) == 1, "the document arrives", seconds=5)
    emitter._socket.close()
    trace = store.trace(TRACE_ID)
    assert trace is not None
    (record,) = trace["records"]
    assert record["source"] == "xray"
    assert record["name"] == "## handler"
    assert record["annotations"] == {"ColdStart": True}
    assert record["parent_id"] == segment.id


def test_a_datagram_is_a_header_line_and_a_document() -> None:
    assert parse_datagram(HEADER + b'{"id":"1"}') == {"id": "1"}


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"no json\n{}",
        b'{"format":"json","version":1}',
        HEADER,
        HEADER + b"[]",
        HEADER + b"{",
        b'{"format":"xml","version":1}\n{}',
        b'{"format":"json","version":2}\n{}',
        b"[]\n{}",
        b"\xff\n\xff",
    ],
)
def test_anything_else_is_malformed(datagram: bytes) -> None:
    with pytest.raises(MalformedDatagramError):
        parse_datagram(datagram)


def test_a_malformed_datagram_is_counted_and_dropped(daemon: XRayDaemon) -> None:
    send(daemon, b"nonsense")
    send(daemon, HEADER + b'{"id":"0000000000000001","name":"no trace id","start_time":1}')
    good = {"trace_id": TRACE_ID, "id": "b" * 16, "name": "ok", "start_time": 1.0, "end_time": 2.0}
    send(daemon, HEADER + json.dumps(good).encode())
    wait_until(lambda: len(daemon.documents) == 1, "the document arrives", seconds=5)
    assert daemon.malformed == 2
    assert list(daemon.documents) == [good]
