"""The local stack around somebody's own app, which needs neither tables nor sample data."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local_aws.background import BackgroundStack
from local_aws.settings import Settings
from tests.fakes.local import wait_until
from tests.wire.local_command import RunCommand, run_environ

APP = """
import os
from lambda_streaming import StreamingResponse, step
from lambda_streaming.serving.process import serve, traced

async def show(event, context):
    return StreamingResponse(tokens(), headers={"content-type": "text/plain"})

async def tokens():
    with step("model_call"):
        model = os.environ.get("MODEL", "none")
    yield f"{model} "

handler = serve(lambda environ: traced(show, environ))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "main.py").write_text(APP, encoding="utf-8")
    (tmp_path / "shop" / ".env").write_text("MODEL=m", encoding="utf-8")
    return tmp_path / "shop"


@pytest.fixture
def stack(project: Path) -> Iterator[BackgroundStack]:
    settings = Settings.from_environ(
        {
            "PORT": "0",
            "APP": "main:handler",
            "APP_DIR": str(project),
            "ENV_FILE": str(project / ".env"),
        }
    )
    with BackgroundStack(settings) as running:
        yield running


def test_an_app_streams_with_its_own_variables_and_both_phases_in_one_trace(
    stack: BackgroundStack,
) -> None:
    answer = httpx.get(stack.url, trust_env=False)
    assert (answer.status_code, answer.text) == (200, "m ")
    trace_id = answer.headers["x-amzn-trace-id"][5:40]

    def names() -> set[str]:
        page = httpx.get(f"{stack.console_url}/api/traces/{trace_id}", trust_env=False).json()
        return {record["name"] for record in page["records"]}

    wanted = {"shop", "## handler", "response_stream", "model_call"}
    wait_until(lambda: names() == wanted, "the function's records arrive")


def test_an_app_is_behind_every_door_that_streams(stack: BackgroundStack) -> None:
    url = f"{stack.door_url('invoke_api')}/2015-03-31/functions/shop/invocations"
    with httpx.Client(trust_env=False) as http:
        assert http.get(f"{stack.door_url('rest_api')}/prod/any").text == "m "
        prelude, _, body = http.post(url, json={}).content.partition(b"\0" * 8)
    assert json.loads(prelude)["statusCode"] == 200
    assert body == b"m "


def test_the_console_offers_an_app_what_it_has(stack: BackgroundStack) -> None:
    with httpx.Client(base_url=stack.console_url, trust_env=False) as console:
        assert console.get("/api/info").json()["app"] == "main.handler"
        faults = console.get("/api/faults").json()["faults"]
        assert [fault["name"] for fault in faults] == ["collector_down"]
        refused = console.post("/api/items", json={"sentiment_type": "positive"})
        assert refused.status_code == 404


def test_run_takes_an_app_where_it_stands_and_starts_no_engine(project: Path) -> None:
    kept = {"PATH", "PYTHONPATH", "PORT", "LOCAL_STATE_FILE"}
    environ = {k: v for k, v in run_environ(project).items() if k in kept}
    command = RunCommand(environ, "main:handler", folder=project)
    try:
        assert "main.handler" in command.banner
        assert "Tables" not in command.banner
        if sys.platform.startswith("linux"):
            assert len(command.children()) == 1, "the guardian: no engine, and no request yet"
        assert httpx.get(command.state["url"], trust_env=False).text == "none "
        for refused in ("publish", "drain"):
            done = command.command(refused, "-" if refused == "publish" else "")
            assert done.returncode == 1
            assert "it serves no feed" in done.stderr
        wait_until(lambda: "response_stream" in command.command("trace").stdout, "the spans arrive")
    finally:
        command.close()
    assert command.state["tables"] is None


def test_a_changed_file_is_served_by_the_next_request(
    stack: BackgroundStack, project: Path
) -> None:
    """Also within the second and with the size by which bytecode knows its source."""
    assert httpx.get(stack.url, trust_env=False).text == "m "
    file = project / "main.py"
    modified_ns = file.stat().st_mtime_ns
    file.write_text(APP.replace("{model} ", "{model}!"), encoding="utf-8")
    os.utime(file, ns=(modified_ns, modified_ns // 10**9 * 10**9 + 1))
    wait_until(lambda: httpx.get(stack.url, trust_env=False).text == "m!", "the change is served")


def test_a_stream_under_way_ends_as_at_sigterm(project: Path) -> None:
    waits = APP.replace(
        """    yield f"{model} "
""",
        """    yield "begun "
    import asyncio
    await asyncio.sleep(60)
""",
    )
    (project / "main.py").write_text(waits, encoding="utf-8")
    said: list[str] = []
    settings = Settings.from_environ({"PORT": "0", "APP": "main:handler", "APP_DIR": str(project)})
    with BackgroundStack(settings, say=said.append) as stack:
        with httpx.stream("GET", stack.url, trust_env=False, timeout=20) as response:
            chunks = response.iter_raw()
            assert next(chunks) == b"begun "
            (project / "main.py").write_text(APP, encoding="utf-8")
            with pytest.raises(httpx.TransportError):
                next(chunks)
        assert httpx.get(stack.url, trust_env=False).text == "none "
    assert set(said) == {"main.py has changed: the next request starts the function anew."}
