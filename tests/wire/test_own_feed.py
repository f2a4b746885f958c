"""A module with a feed on a table of its own, as Lambda's managed runtime runs it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local_aws.data.clients import local_client
from local_aws.feed.sentiment.declaration import SENTIMENT
from local_aws.feed.tables import TableNames, create_tables
from tests.fakes.dynamodb import running_engine
from tests.fakes.events import function_url_event
from tests.fakes.managed_runtime import SOURCES, managed_function
from tests.fakes.runtime_api import Event
from tests.fakes.streams import REQUIRED, parse_block

ACCOUNT = "arn:aws:iam::123456789012"
FEED = """
from lambdas.sse_streaming import Caller, FeedSchema, Filter, QueryParameter, feed

print("a module may say something when it is imported")
jobs = feed(
    FeedSchema(
        "job", "tenant", {chosen_by}, "timestamp", "job_id",
        time_unit="s", filters=(Filter("status", values=("running", "done")),),
    )
)
"""
BY_QUERY, BY_CALLER = 'QueryParameter("tenant")', "Caller()"


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    """Of a deployment with three jobs of Alice's, one of Bob's, and a saved filter of Alice's."""
    with running_engine() as engine:
        dynamodb = local_client("dynamodb", engine.url)
        create_tables(dynamodb, TableNames.from_environ({}, SENTIMENT), SENTIMENT)
        dynamodb.create_table(
            TableName="jobs",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": kind}
                for name, kind in (("job_id", "S"), ("tenant", "S"), ("timestamp", "N"))
            ],
            KeySchema=[{"AttributeName": "job_id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_tenant",
                    "KeySchema": [
                        {"AttributeName": "tenant", "KeyType": "HASH"},
                        {"AttributeName": "timestamp", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )
        now = int(time.time())
        for number, (tenant, status) in enumerate(
            [("alice", "running"), ("alice", "done"), ("alice", "lost"), ("bob", "done")]
        ):
            dynamodb.put_item(
                TableName="jobs",
                Item={
                    "job_id": {"S": f"{tenant}'s {status}"},
                    "tenant": {"S": f"{ACCOUNT}:user/{tenant}"},
                    "timestamp": {"N": str(now - 9 + number)},
                    "status": {"S": status},
                },
            )
            dynamodb.put_item(
                TableName="jobs",
                Item={
                    "job_id": {"S": f"{tenant}-{status}"},
                    "tenant": {"S": tenant},
                    "timestamp": {"N": str(now - 9 + number)},
                    "status": {"S": status},
                },
            )
        dynamodb.put_item(
            TableName="configurations",
            Item={
                "config_id": {"S": "done"},
                "owner": {"S": f"{ACCOUNT}:user/alice"},
                "status": {"L": [{"S": "done"}]},
            },
        )
        yield {
            **REQUIRED,
            "SSE_ITEMS_TABLE": "jobs",
            "SSE_CONFIGURATIONS_TABLE": "configurations",
            "SSE_MAX_STREAM_SECONDS": "1.5",
            "AWS_ENDPOINT_URL": engine.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "TEST",
            "AWS_SECRET_ACCESS_KEY": "test",
            "OTEL_SDK_DISABLED": "true",
        }


def get(path: str, query: str = "", user: str | None = None) -> Event:
    user_arn = None if user is None else f"{ACCOUNT}:user/{user}"
    event = function_url_event("GET", path, query, user_arn=user_arn)
    return Event(json.dumps(event).encode())


def answers(
    folder: Path, chosen_by: str, environ: Mapping[str, str], *asked: Event
) -> list[tuple[int, Any]]:
    """Of each request the status, with the error's message or the items' ids.

    The first one makes the function's client, so that a stream's time is not spent on that.
    """
    asked = (get("/stream/status"), *asked)
    (folder / "board.py").write_text(FEED.format(chosen_by=chosen_by), encoding="utf-8")
    with managed_function(folder, "board.jobs", environ) as function:
        for one in asked:
            function.api.add(one)
        function.api.wait_until(lambda: len(function.api.polls()) > len(asked), 30)
        return [
            (
                answer.prelude["statusCode"],
                _ids(answer.payload)
                if answer.prelude["statusCode"] == 200
                else json.loads(answer.payload)["error"]["message"],
            )
            for answer in function.api.answers()[1:]
        ]


def _ids(body: bytes) -> list[str]:
    blocks = [block + b"\n\n" for block in body.split(b"\n\n") if b"event: " in block]
    events = [parse_block(block[block.index(b"event: ") :]) for block in blocks]
    return [event.data["job_id"] for event in events if event and event.name == "job"]


def test_the_service_runs_for_the_module_that_declares_the_feed(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    assert answers(
        tmp_path,
        BY_QUERY,
        environ,
        get("/stream", "tenant=alice,bob&backfill=9"),
        get("/stream", "tenant=alice&status=done&backfill=9"),
        get("/stream"),
        get("/stream", "tenant=a&ticker=AAPL"),
    ) == [
        (200, ["alice-running", "alice-done", "alice-lost", "bob-done"]),
        (200, ["alice-done"]),
        (
            400,
            "tenant: required, a comma-separated list of at most 3, each 1 to 64 of letters,"
            " digits, _ . -",
        ),
        (
            400,
            "unknown query parameter 'ticker'; known: backfill, last_event_id, status, tenant",
        ),
    ]


def test_a_caller_has_its_own_partition_also_in_a_saved_stream(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    assert answers(
        tmp_path,
        BY_CALLER,
        {**environ, "SSE_AUTH": "iam"},
        get("/stream", "backfill=9", user="alice"),
        get("/stream", "backfill=9", user="bob"),
        get("/configurations/done/stream", "backfill=9", user="alice"),
        get("/configurations/done/stream", user="bob"),
        get("/stream"),
        get("/stream", "tenant=bob", user="alice"),
    ) == [
        (200, ["alice's running", "alice's done", "alice's lost"]),
        (200, ["bob's done"]),
        (200, ["alice's done"]),
        (404, "no configuration of yours has this id"),
        (403, "the request names no caller who has a feed"),
        (400, "unknown query parameter 'tenant'; known: backfill, last_event_id, status"),
    ]


def test_a_feed_for_callers_does_not_start_where_none_are_known(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    (tmp_path / "board.py").write_text(FEED.format(chosen_by=BY_CALLER), encoding="utf-8")
    with managed_function(tmp_path, "board.jobs", environ) as function:
        function.api.wait_until(lambda: bool(function.api.init_errors()), 30)
        (error,) = function.api.init_errors()

    assert "SSE_AUTH=none: this feed has a partition for each IAM caller" in error["errorMessage"]


# The declaration


def declare(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    (folder / "board.py").write_text(FEED.format(chosen_by=BY_QUERY), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "lambdas.sse_streaming.declaration", name],
        cwd=folder,
        env={"PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize("name", ["board:jobs", "board.jobs"])
def test_the_declaration_is_json_whatever_the_module_prints(name: str, tmp_path: Path) -> None:
    ran = declare(tmp_path, name)

    assert ran.returncode == 0, ran.stderr
    declared = json.loads(ran.stdout)
    assert (declared["event"], declared["index"]) == ("job", "by_tenant")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("board:nothing", "board:nothing is nothing and no feed. Write in board: handler = feed("),
        ("board:feed", "board:feed is a function and no feed."),
        ("bored:jobs", "there is no module bored; run this in the folder"),
        ("board", "give module:attribute"),
    ],
)
def test_what_is_no_feed_is_said_in_a_sentence(name: str, said: str, tmp_path: Path) -> None:
    ran = declare(tmp_path, name)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_declaration_needs_nothing_but_the_base(tmp_path: Path) -> None:
    """It is read by whoever plans the tables."""
    (tmp_path / "board.py").write_text(FEED.format(chosen_by=BY_QUERY), encoding="utf-8")
    program = (
        "import sys, board; print(sorted({name.partition('.')[0] for name in sys.modules} & {"
        "'boto3', 'botocore', 'aws_lambda_powertools', 'aws_xray_sdk', 'opentelemetry'}),"
        " 'lambdas.sse_streaming.entrypoint' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert ran.stdout.splitlines()[-1] == "[] False"
