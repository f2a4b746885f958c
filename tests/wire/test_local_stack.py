"""The whole stack: what it starts, what its commands do, and that nothing outlives it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from local_aws.background import BackgroundStack
from local_aws.data.clients import local_client
from local_aws.feed.sentiment.function import ENVIRONMENT
from local_aws.settings import DOOR_PORTS, REPOSITORY_ROOT, DoorName, Settings
from local_aws.stack import PortTakenError
from local_aws.state_file import RunningStack
from local_aws.traces.receivers.otlp_behaviour import HEALTHY, REFUSED
from tests.wire.local_command import RunCommand, local_aws, run_environ, without_stack
from tests.wire.local_lambda import PRELUDE, SCRIPTED, answer, process_state, script

FUNCTION = replace(SCRIPTED, environment=ENVIRONMENT)


def settings(**given: object) -> Settings:
    base = Settings.from_environ({k: v for k, v in os.environ.items() if k == "LOCAL_DYNOXIDE"})
    whole = {"port": 0, "items_per_second": 0.0, "function": FUNCTION, **given}
    return replace(base, **whole)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with BackgroundStack(settings()) as running:
        yield running


def test_the_function_is_pointed_at_every_part(stack: BackgroundStack) -> None:
    environ = httpx.get(stack.url, trust_env=False).json()["environ"]
    assert environ["AWS_ENDPOINT_URL_DYNAMODB"] == stack.dynamodb.url
    assert environ["AWS_ENDPOINT_URL_CLOUDWATCH"] == stack.cloudwatch.url
    assert environ["OTEL_EXPORTER_OTLP_ENDPOINT"] == stack.stack.collector.endpoint
    assert environ["AWS_XRAY_DAEMON_ADDRESS"] == stack.stack.daemon.address
    assert len(environ["SSE_ID_KEY"]) >= 16
    assert environ["SSE_MAX_CONNECTIONS"] == "15"
    assert environ["OTEL_SERVICE_NAME"] == environ["POWERTOOLS_SERVICE_NAME"]


def test_the_tables_are_there_with_sample_configurations(stack: BackgroundStack) -> None:
    dynamodb = local_client("dynamodb", stack.dynamodb.url)
    assert {"items", "connections", "configurations"} <= set(dynamodb.list_tables()["TableNames"])
    table = dynamodb.describe_table(TableName="items")["Table"]
    assert [index["IndexName"] for index in table["GlobalSecondaryIndexes"]] == ["by_sentiment"]
    owners = {c["owner"]["S"] for c in dynamodb.scan(TableName="configurations")["Items"]}
    assert "arn:aws:iam::123456789012:user/alice" in owners
    dynamodb.close()


def test_cloudwatch_takes_metrics(stack: BackgroundStack) -> None:
    cloudwatch = local_client("cloudwatch", stack.cloudwatch.url)
    cloudwatch.put_metric_data(Namespace="N", MetricData=[{"MetricName": "M", "Value": 1.0}])
    assert cloudwatch.list_metrics(Namespace="N")["Metrics"][0]["MetricName"] == "M"
    assert stack.cloudwatch.requests(operation="PutMetricData")[0].status == 200
    cloudwatch.close()


def test_published_items_are_filled_in_and_stored(stack: BackgroundStack) -> None:
    item = stack.publish(ticker="AAPL", score=0.5)
    dynamodb = local_client("dynamodb", stack.dynamodb.url)
    stored = dynamodb.get_item(TableName="items", Key={"item_id": {"S": item["item_id"]}})["Item"]
    assert stored["score"] == {"N": "0.5"}
    assert stored["published_at"] == {"N": str(item["published_at"])}
    dynamodb.close()


def test_the_publisher_supplies_items_at_its_rate(stack: BackgroundStack) -> None:
    before = stack.stack.publisher.published
    stack.publish_at_rate(50)
    time.sleep(0.5)
    stack.publish_at_rate(0)
    assert 5 <= stack.stack.publisher.published - before <= 30


def test_items_older_than_15_minutes_are_deleted(stack: BackgroundStack) -> None:
    old = stack.publish(published_at=int(time.time() * 1000) - 16 * 60_000)
    new = stack.publish()
    stack.stack.publisher.delete_old()
    dynamodb = local_client("dynamodb", stack.dynamodb.url)
    ids = {item["item_id"]["S"] for item in dynamodb.scan(TableName="items")["Items"]}
    assert old["item_id"] not in ids
    assert new["item_id"] in ids
    dynamodb.close()


def test_the_console_shows_the_trace_of_a_request(stack: BackgroundStack) -> None:
    root = httpx.get(stack.url, trust_env=False).headers["x-amzn-trace-id"][5:40]
    page = httpx.get(f"{stack.console_url}/api/traces/{root}", trust_env=False).json()
    origins = {record["origin"] for record in page["records"]}
    assert origins == {"AWS::Lambda", "AWS::Lambda::Function"}


def test_the_console_knows_what_the_function_is_set_to(stack: BackgroundStack) -> None:
    info = httpx.get(f"{stack.console_url}/api/info", trust_env=False).json()
    del info["form"]
    assert info == {"function_url": stack.url, "heartbeat_seconds": 15.0}


def test_the_console_shows_the_streams_and_faults_of_this_stack(stack: BackgroundStack) -> None:
    def turn(*, on: bool) -> None:
        body = {"name": "collector_down", "on": on}
        httpx.post(f"{stack.console_url}/api/faults", json=body, trust_env=False)

    turn(on=True)
    assert stack.stack.collector.behaviour == REFUSED
    turn(on=False)
    assert stack.stack.collector.behaviour == HEALTHY
    speaking = script(*answer(PRELUDE, "x")[:-1], {"sleep": 30})
    with httpx.stream("GET", stack.url + speaking, trust_env=False) as response:
        next(response.iter_raw())
        root = response.headers["x-amzn-trace-id"][5:40]
        page = httpx.get(f"{stack.console_url}/api/streams", trust_env=False).json()
        assert [one["trace_id"] for one in page["streams"]] == [root]
        killed = httpx.post(
            f"{stack.console_url}/api/streams/{root}/kill", json={}, trust_env=False
        )
        assert killed.status_code == 200


def test_the_function_log_is_kept(stack: BackgroundStack) -> None:
    httpx.get(
        stack.url + script({"print": "a line of its own"}, *answer(PRELUDE, "x")), trust_env=False
    )
    assert "a line of its own" in stack.function_log()


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"Port {port} .*make run PORT="):
            BackgroundStack(settings(port=port)).__enter__()


def test_a_taken_port_of_another_door_is_no_reason_not_to_start() -> None:
    with stack_beside_a_taken_port("rest_api") as (stack, taken_port):
        assert stack.door_url("rest_api") != f"http://127.0.0.1:{taken_port}"
        assert httpx.get(f"{stack.door_url('rest_api')}/", trust_env=False).status_code == 403


@contextmanager
def stack_beside_a_taken_port(door: DoorName) -> Iterator[tuple[BackgroundStack, int]]:
    """At the first place where the stack's own ports are free."""
    with ExitStack() as opened:
        while True:
            taken = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = taken.getsockname()[1]
            try:
                stack = opened.enter_context(
                    BackgroundStack(settings(port=port - DOOR_PORTS[door]))
                )
            except PortTakenError:
                continue
            yield stack, port
            return


def test_without_dynoxide_moto_stands_in_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local_aws.stack.find_dynoxide", lambda _: None)
    said: list[str] = []
    with BackgroundStack(settings(), say=said.append) as running:
        running.publish()
    assert any("moto stands in for DynamoDB" in line for line in said)


def test_table_names_follow_the_functions_configuration() -> None:
    function = replace(
        SCRIPTED, environment={"SSE_ITEMS_TABLE": "prod-items", "SSE_ITEMS_INDEX": "other"}
    )
    with BackgroundStack(settings(function=function)) as running:
        dynamodb = local_client("dynamodb", running.dynamodb.url)
        table = dynamodb.describe_table(TableName="prod-items")["Table"]
        assert table["GlobalSecondaryIndexes"][0]["IndexName"] == "other"
        dynamodb.close()


def test_another_local_engine_can_be_used(stack: BackgroundStack) -> None:
    with BackgroundStack(settings(dynamodb_url=stack.stack.engine_url)) as second:
        item = second.publish()
        dynamodb = local_client("dynamodb", stack.dynamodb.url)
        key = {"item_id": {"S": item["item_id"]}}
        assert "Item" in dynamodb.get_item(TableName="items", Key=key)
        dynamodb.close()


def test_a_stack_answers_until_it_stops() -> None:
    with BackgroundStack(settings()) as running:
        found = RunningStack(
            pid=os.getpid(),
            url=running.url,
            console_url=running.console_url,
            dynamodb_url=running.dynamodb.url,
            tables=running.stack.names,
        )
        assert found.answers()
    assert not found.answers()


# --- the commands, in processes of their own ---


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunCommand]:
    command = RunCommand(run_environ(tmp_path))
    yield command
    command.close()


linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="finds processes in /proc"
)


@linux_only
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_outlives_the_stack(run: RunCommand, end: signal.Signals) -> None:
    assert httpx.get(run.state["url"], trust_env=False).status_code == 200
    children = run.children()
    assert len(children) >= 3  # the guardian, moto, the function and, where there is one, dynoxide
    run.process.send_signal(end)
    status = run.process.wait(10)
    assert status == (-signal.SIGKILL if end is signal.SIGKILL else 0)
    deadline = time.monotonic() + 5
    while any(process_state(pid) not in ("", "Z") for pid in children):
        assert time.monotonic() < deadline, "a process has outlived the stack"
        time.sleep(0.01)


def test_run_tells_where_everything_is(run: RunCommand) -> None:
    assert run.state["url"] in run.banner
    assert run.state["console_url"] in run.banner
    assert httpx.get(f"{run.state['console_url']}/api/traces", trust_env=False).status_code == 200


def test_publish_writes_good_lines_names_bad_ones_and_fails(
    run: RunCommand, tmp_path: Path
) -> None:
    file = tmp_path / "items.jsonl"
    file.write_bytes(
        '{"item_id":"a","sentiment_type":"positive","published_at":1000,"headline":"1\u20282"}\n'
        "not json\n"
        '{"item_id":"b","sentiment_type":"negative","published_at":3000}\n'
        '{"sentiment_type":"glad"}\n'.encode()
        + b'{"sentiment_type":"neutral","headline":"\xff"}\n'
    )
    done = run.command("publish", str(file))
    assert done.returncode == 1
    assert "line 2: not JSON" in done.stdout
    assert "line 4: sentiment_type must be one of" in done.stdout
    assert "line 5: not UTF-8" in done.stdout
    assert "2 published, 3 bad." in done.stdout
    dynamodb = local_client("dynamodb", run.state["dynamodb_url"])
    found = {i["item_id"]["S"]: i for i in dynamodb.scan(TableName="items")["Items"]}
    assert found["a"]["headline"]["S"] == "1\u20282"
    times = [int(found[one]["published_at"]["N"]) for one in ("a", "b")]
    assert times[1] - times[0] == 2000
    assert abs(times[0] - time.time() * 1000) < 30_000
    dynamodb.close()


def test_drain_marks_the_table_and_lifts_the_mark(run: RunCommand) -> None:
    key = {"pk": {"S": "control"}, "sk": {"S": "drain"}}
    dynamodb = local_client("dynamodb", run.state["dynamodb_url"])
    assert run.command("drain", "connections", "+60").returncode == 0
    until = float(dynamodb.get_item(TableName="connections", Key=key)["Item"]["until"]["N"])
    assert 30 < until - time.time() <= 61
    assert run.command("drain", "connections", "0").returncode == 0
    assert "Item" not in dynamodb.get_item(TableName="connections", Key=key)
    assert run.command("drain", "connections", "+1e18").returncode == 1
    assert "Item" not in dynamodb.get_item(TableName="connections", Key=key)
    dynamodb.close()


def test_drain_without_a_table_is_about_the_running_stack(run: RunCommand) -> None:
    assert run.command("drain", "", "+60").stdout.startswith(
        "connections on the local stack drains"
    )
    assert "no longer drains" in run.command("drain", "", "0").stdout
    assert "connections" in run.banner


def test_drain_without_a_table_never_reaches_aws(tmp_path: Path) -> None:
    for options in ([], ["--aws"]):
        done = local_aws(without_stack(tmp_path), "drain", "", "+60", *options)
        assert done.returncode == 1
        assert "make drain TABLE=" in done.stderr


def test_run_warns_of_settings_that_nothing_reads(tmp_path: Path) -> None:
    command = RunCommand(
        run_environ(
            tmp_path,
            LOCAL_CONCURENCY="3",
            SSE_POLL_SECOND="3",
            LOCAL_TASK_ROOT=str(REPOSITORY_ROOT / "src"),
            LOCAL_HANDLER="lambdas.sse_streaming.entrypoint.handler",
        )
    )
    command.close()
    before_the_addresses = command.banner.partition("Function URL")[0]
    assert "LOCAL_CONCURENCY is set and has no effect: did you mean LOCAL_CONCURRENCY?" in (
        before_the_addresses
    )
    assert "SSE_POLL_SECOND is set and has no effect: did you mean SSE_POLL_SECONDS?" in (
        before_the_addresses
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"SSE_POLL_SECONDS": "abc"}, "SettingsError: SSE_POLL_SECONDS='abc' is not valid"),
        ({"OTEL_SERVICE_NAME": "other"}, "SettingsError: OTEL_SERVICE_NAME='other' differs"),
        ({"SSE_ITEMS_TABLE": "a"}, "SettingsError: SSE_ITEMS_TABLE='a' is not valid"),
        ({"LOCAL_HANDLER": "nothing.here"}, "Unable to import module 'nothing'"),
        ({"LOCAL_PYTHON": "/bin/false"}, "its process ended before it asked for an event"),
    ],
)
def test_run_refuses_what_the_functions_init_refuses(
    tmp_path: Path, given: dict[str, str], reason: str
) -> None:
    own = {
        "LOCAL_TASK_ROOT": str(REPOSITORY_ROOT / "src"),
        "LOCAL_HANDLER": "lambdas.sse_streaming.entrypoint.handler",
    }
    done = local_aws(run_environ(tmp_path, **{**own, **given}), "run")
    assert done.returncode == 1
    assert done.stderr.startswith("The function does not start: ")
    assert reason in done.stderr
    assert "http://" not in done.stdout
    assert not (tmp_path / "stack.json").exists()


def test_run_says_in_one_line_which_table_cannot_be_created(tmp_path: Path) -> None:
    done = local_aws(run_environ(tmp_path, SSE_ITEMS_TABLE="connections"), "run")
    assert done.returncode == 1
    assert done.stderr.startswith("The table 'connections' cannot be created: ResourceInUse")
    assert done.stderr.count("\n") == 1


def test_an_init_that_takes_too_long_is_told(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time; time.sleep(60)", encoding="utf-8")
    slow = {"LOCAL_TASK_ROOT": str(tmp_path), "LOCAL_HANDLER": "slow.handler"}
    command = RunCommand(run_environ(tmp_path, **slow, LOCAL_TIMEOUT_SECONDS="0.1"))
    command.close()
    assert "init takes longer than LOCAL_TIMEOUT_SECONDS" in command.banner


def test_drain_says_in_one_line_that_aws_has_no_such_table(run: RunCommand) -> None:
    run.environ |= {
        "AWS_ENDPOINT_URL_DYNAMODB": run.state["dynamodb_url"],
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }
    for options in ([], ["--aws"]):
        done = run.command("drain", "elsewhere", *options)
        assert done.returncode == 1
        assert done.stderr.startswith("elsewhere on AWS in eu-west-1 was not changed: ResourceNot")
        assert done.stderr.count("\n") == 1
        assert ("make run" in done.stderr) is (options == [])


def test_commands_without_a_running_stack_say_how_to_start_one(tmp_path: Path) -> None:
    done = local_aws(without_stack(tmp_path), "publish", "-")
    assert done.returncode == 1
    assert "make run" in done.stderr


def test_drain_without_a_stack_or_credentials_says_what_is_missing(tmp_path: Path) -> None:
    without_credentials = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }
    done = local_aws(without_stack(tmp_path) | without_credentials, "drain", "connections")
    assert done.returncode == 1
    assert "make run" in done.stderr
    assert "credentials" in done.stderr
