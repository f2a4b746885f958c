"""The Flask app, asked through Flask's own client, the Function URL and a REST API that streams."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from examples.flask.app import app, handler
from local_aws.background import BackgroundStack
from tests.examples.ways import Way, served, wait_until_free
from tests.fakes.events import bare_event


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with served("examples.flask.app:handler") as running:
        yield running


@pytest.fixture
def in_process_way() -> Iterator[Way]:
    with httpx.Client(transport=FlaskClient(), base_url="http://localhost") as client:
        yield Way(client)


class FlaskClient(httpx.BaseTransport):
    """Flask's own test client, with the calls of the other ways."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = app.test_client().open(
            request.url.raw_path.decode(),
            method=request.method,
            headers=dict(request.headers),
            data=request.read(),
        )
        return httpx.Response(answer.status_code, headers=[*answer.headers], content=answer.data)


def test_it_is_healthy(way: Way) -> None:
    answer = way.client.get("/health")

    assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


def test_its_links_lead_back_to_it(way: Way) -> None:
    links = way.client.get("/").json()

    assert links["report"] == f"{way.root_path}/report.csv?rows=5"
    assert way.client.get(links["health"].removeprefix(way.root_path)).status_code == 200


def test_a_report_is_generated_line_by_line(way: Way) -> None:
    answer = way.client.get("/report.csv", params={"rows": 3})

    assert (answer.status_code, answer.headers["x-rows"]) == (200, "3")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.split() == [
        "number,square,path",
        "1,1,/report.csv",
        "2,4,/report.csv",
        "3,9,/report.csv",
    ]


@pytest.mark.parametrize("path", ["/report.csv?rows=0", "/report.csv?rows=100001"])
def test_what_is_refused_has_a_real_status(way: Way, path: str) -> None:
    answer = way.client.get(path)

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "rows must be 1 to 100000"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("POST", "/health", 405)]
)
def test_every_error_has_the_same_form(way: Way, method: str, path: str, status: int) -> None:
    answer = way.client.request(method, path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, status)


def test_json_forms_and_files_arrive(way: Way) -> None:
    posted = way.client.post("/echo", json={"a": [1, "ü"]}).json()
    assert posted["json"] == {"a": [1, "ü"]}

    sent = way.client.post("/echo", data={"b": "2"}, files={"c": b"\xff" * 1000}).json()
    assert (sent["form"], sent["file_bytes"]) == ({"b": "2"}, {"c": 1000})


def test_a_head_request_gets_no_body(way: Way) -> None:
    answer = way.client.head("/report.csv", params={"rows": 2})

    assert (answer.status_code, answer.headers["x-rows"], answer.content) == (200, "2", b"")


def test_called_in_plain_python_it_gives_the_whole_answer() -> None:
    answer = handler(bare_event(path="/report.csv", query="rows=1"))

    assert answer["statusCode"] == 200
    assert answer["body"].split() == ["number,square,path", "1,1,/report.csv"]


def test_a_line_arrives_before_the_generator_ends(on_lambda: Way, stack: BackgroundStack) -> None:
    with on_lambda.client.stream("GET", "/report.csv?rows=3&pause_ms=200") as answer:
        lines = answer.iter_lines()
        assert next(lines) == "number,square,path"
        assert next(lines) == "1,1,/report.csv"
        assert stack.invocations[-1].finished_at == 0
        assert len([*lines]) == 2
    wait_until_free(stack)


def test_the_generators_steps_are_in_the_trace(on_lambda: Way, stack: BackgroundStack) -> None:
    on_lambda.client.get("/report.csv", params={"rows": 2})
    wait_until_free(stack)
    records = stack.traces.records(stack.invocations[-1].trace.root)
    names = {record.id: record.name for record in records}

    steps = [names.get(record.parent_id or "") for record in records if record.name == "measure"]
    assert steps == ["asgi_request", "asgi_request"]
