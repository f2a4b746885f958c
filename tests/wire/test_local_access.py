"""What other pages in the person's browser can do with the stack's ports."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from local_aws.background import BackgroundStack
from local_aws.console.app import create_console
from local_aws.console.door_requests import DoorRequests
from local_aws.console.fault_switches import FaultSwitches
from local_aws.console.server import ConsoleServer
from local_aws.data.engines import find_dynoxide, moto
from local_aws.data.fault_proxy import FaultProxy
from local_aws.lambda_side.doors.request_log import RequestLog
from local_aws.processes import ProcessGuard
from local_aws.servers.http_connection import bound_socket
from local_aws.settings import Settings
from local_aws.traces.receivers.otlp_collector import OtlpCollector
from local_aws.traces.store import TraceStore
from tests.absence import missing
from tests.wire.local_lambda import SCRIPTED
from tests.wire.test_console import MemoryItems, OneStream

ITEM = {"sentiment_type": "positive"}


@pytest.fixture
def items() -> MemoryItems:
    return MemoryItems()


@pytest.fixture
async def console(items: MemoryItems) -> AsyncIterator[httpx.AsyncClient]:
    traces = TraceStore()
    app = create_console(
        traces,
        items,
        OneStream(),
        FaultSwitches(FaultProxy(), OtlpCollector(traces)),
        DoorRequests(RequestLog(), {}),
        function_url="http://127.0.0.1:1",
        more_hosts=["Box.example:9000"],
    )
    sock = bound_socket(0)
    port = sock.getsockname()[1]
    server = ConsoleServer(app)
    await server.start(sock)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client
    await server.stop()


def with_port(text: str, console: httpx.AsyncClient) -> str:
    return text.format(port=console.base_url.port)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"]
)
async def test_the_console_answers_under_each_loopback_name(
    console: httpx.AsyncClient, host: str
) -> None:
    host = with_port(host, console)
    assert (await console.get("/api/traces", headers={"Host": host})).status_code == 200
    own_page = {"Host": host, "Origin": f"http://{host.lower()}"}
    assert (await console.post("/api/items", json=ITEM, headers=own_page)).status_code == 201


@pytest.mark.parametrize("origin", ["http://box.example:9000", "https://box.example:9000", None])
async def test_the_console_answers_under_a_name_that_the_person_gave(
    console: httpx.AsyncClient, origin: str | None
) -> None:
    headers = {"Host": "box.example:9000", **({"Origin": origin} if origin else {})}
    assert (await console.post("/api/items", json=ITEM, headers=headers)).status_code == 201


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:{port}",
        "127.0.0.1.evil.example:{port}",
        "localhost:1",
        "localhost",
        "box.example",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/info", "/api/traces", "/static/console.js"])
async def test_a_page_whose_name_was_turned_to_loopback_reads_nothing(
    console: httpx.AsyncClient, host: str, path: str
) -> None:
    answer = await console.get(path, headers={"Host": with_port(host, console)})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "foreign_host"
    assert "LOCAL_CONSOLE_HOSTS" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://evil.example:{port}",
        "http://localhost:3000",
        "https://localhost:{port}",
        "http://localhost:{port}.evil.example",
        "null",
    ],
)
async def test_a_page_of_another_origin_writes_nothing(
    console: httpx.AsyncClient, items: MemoryItems, origin: str
) -> None:
    headers = {"Origin": with_port(origin, console)}
    answer = await console.post("/api/items", json=ITEM, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "foreign_origin"
    assert items.written == []


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_a_body_that_a_form_could_send_is_refused_by_its_type(
    console: httpx.AsyncClient, items: MemoryItems, media_type: str | None
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    body = b'{"sentiment_type":"positive"}'
    answer = await console.post("/api/items", content=body, headers=headers)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["error"]["message"]
    assert items.written == []


async def test_no_page_may_frame_the_console(console: httpx.AsyncClient) -> None:
    policy = (await console.get("/")).headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy


# --- the ports that are for programs ---


@pytest.fixture(scope="module")
def faces() -> Iterator[dict[str, str]]:
    """What the function of a running stack finds in its environment."""
    settings = Settings(port=0, items_per_second=0.0, function=SCRIPTED)
    with BackgroundStack(settings) as stack:
        environ: dict[str, str] = httpx.get(stack.url, trust_env=False).json()["environ"]
        yield {**environ, "AWS_LAMBDA_RUNTIME_API": f"http://{environ['AWS_LAMBDA_RUNTIME_API']}"}


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Host": "evil.example:80"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(
    ("face", "method", "path"),
    [
        ("AWS_LAMBDA_RUNTIME_API", "GET", "/2018-06-01/runtime/invocation/next"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "POST", "/"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "OPTIONS", "/"),
        ("AWS_ENDPOINT_URL_CLOUDWATCH", "POST", "/"),
        ("AWS_ENDPOINT_URL_CLOUDWATCH", "OPTIONS", "/"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "POST", "/v1/traces"),
    ],
)
def test_no_page_reaches_what_the_function_talks_to(
    faces: dict[str, str], face: str, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = httpx.request(method, faces[face] + path, headers=headers, trust_env=False)
    assert answer.status_code == 403
    assert "for programs" in answer.text
    assert "access-control-allow-origin" not in answer.headers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def moto_url() -> AsyncIterator[str]:
    guard = ProcessGuard()
    await guard.start()
    engine = moto(guard)
    await engine.start()
    yield engine.url
    await engine.stop()
    await guard.stop()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("headers", "status"), [*((one, 403) for one in FOREIGN), ({}, 200)])
async def test_no_page_empties_moto(moto_url: str, headers: dict[str, str], status: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{moto_url}/moto-api/reset", headers=headers)
    assert answer.status_code == status


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_dynoxide_is_not_where_a_page_would_look() -> None:
    if find_dynoxide(Settings()) is None:
        missing("dynoxide is not installed")
    with BackgroundStack(Settings(port=0, items_per_second=0.0, function=SCRIPTED)) as stack:
        host = urlsplit(stack.stack.engine_url).hostname or ""
    assert host.startswith("127.")
    assert host != "127.0.0.1"
