"""The feed of jobs: its declaration in plain Python, and its streams at the Function URL and a REST
API that streams. A feed has no plain call: nothing of it answers without its tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import boto3
import pytest

from examples.own_feed.app import handler, tenant
from examples.own_feed.worker import STEPS, work
from lambda_streaming import Request
from local_aws.background import BackgroundStack
from local_aws.data.clients import local_client
from local_aws.feed.publish_file import publish_lines
from local_aws.feed.publisher import put_into
from local_aws.feed.sentiment.items import items_of
from local_aws.settings import REPOSITORY_ROOT
from tests.examples.ways import STAGE
from tests.fakes.local import SseEvent, SseResponse, feed_settings, get, open_stream, request

JOBS = (REPOSITORY_ROOT / "examples" / "own_feed" / "jobs.jsonl").read_bytes()
USER = "arn:aws:iam::123456789012:user/"


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    settings = feed_settings(
        "examples.own_feed.app:handler",
        task_root=REPOSITORY_ROOT,
        LOCAL_INDEX_LAG_MS="100",
        SSE_POLL_SECONDS="0.1",
        SSE_POLL_MAX_SECONDS="0.1",
        SSE_OVERLAP_SECONDS="1",
        SSE_LEASE_SECONDS="3",
    )
    with BackgroundStack(settings) as running:
        yield running


@pytest.fixture(params=["function_url", "rest_api"])
def door(request: pytest.FixtureRequest) -> str:
    """Jobs and tenants are named after it: what one test has published stays in the table."""
    return str(request.param)


@pytest.fixture
def base(door: str, stack: BackgroundStack) -> str:
    return stack.door_url("rest_api") + STAGE if door == "rest_api" else stack.url


def signed(user: str) -> dict[str, str]:
    """As `curl --aws-sigv4 aws:amz:us-east-1:lambda --user USER:any` signs."""
    scope = "20260101/us-east-1/lambda/aws4_request"
    return {
        "authorization": f"AWS4-HMAC-SHA256 Credential={user}/{scope},"
        " SignedHeaders=host;x-amz-date, Signature=0"
    }


class Reading:
    """A tenant's stream, which is ended on the server when the test has seen enough."""

    def __init__(self, base: str, user: str, *, query: str = "", since: str | None = None) -> None:
        self._base, self._user = base, user
        self._opened = open_stream(
            f"{base}/stream{query}", last_event_id=since, more_headers=signed(user)
        )

    def __enter__(self) -> Reading:
        self.response: SseResponse
        self._events: Iterator[SseEvent]
        self.response, self._events = self._opened.__enter__()
        self.ready = next(self._events).data
        return self

    def __exit__(self, *_: object) -> None:
        close = f"{self._base}/stream/{self.ready['connection_id']}/close"
        request("POST", close, **signed(self._user))
        self._opened.__exit__(None, None, None)

    def jobs(self, count: int) -> list[SseEvent]:
        events = list(islice(self._events, count))
        assert [event.name for event in events] == ["job"] * count
        return events

    def ids(self, count: int) -> list[str]:
        return [event.data["job_id"] for event in self.jobs(count)]


def publish(stack: BackgroundStack, user: str, *job_ids: str, **more: Any) -> None:
    for job_id in job_ids:
        stack.publish(**{"job_id": job_id, "tenant": user, "state": "running", **more})


def test_its_declaration_says_whose_jobs_a_stream_has() -> None:
    declared = handler.schema.declaration()

    assert (declared["partition"], declared["chosen_by"]) == ("tenant", "caller")
    assert (declared["item_id"], declared["time"]) == ("job_id", "updated_at")
    assert declared["index"] == "by_tenant"


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        (f"{USER}tenant-a", "tenant-a"),
        (f"{USER}some/path/tenant-a", "tenant-a"),
        ("arn:aws:iam::123456789012:role/tenant-a", None),
        (f"{USER}tenant-a\n", None),
        (None, None),
    ],
)
def test_a_tenant_is_a_user_of_iam(arn: str | None, name: str | None) -> None:
    request = Request("GET", "/stream", "/stream", caller_arn=arn)

    assert tenant(request) == name


def test_two_tenants_see_their_own_jobs_only(door: str, base: str, stack: BackgroundStack) -> None:
    a, b = f"a-{door}", f"b-{door}"
    with Reading(base, a) as of_a, Reading(base, b) as of_b:
        for number in range(3):
            publish(stack, a, f"{a}-{number}")
            publish(stack, b, f"{b}-{number}")

        assert of_a.ids(3) == [f"{a}-{number}" for number in range(3)]
        assert of_b.ids(3) == [f"{b}-{number}" for number in range(3)]


def test_after_a_cut_nothing_is_missing(door: str, base: str, stack: BackgroundStack) -> None:
    user = f"cut-{door}"
    ids = [f"{user}-{number}" for number in range(6)]
    with Reading(base, user) as first:
        publish(stack, user, *ids[:3])
        before = first.jobs(2)
    publish(stack, user, *ids[3:])

    with Reading(base, user, since=before[-1].id) as second:
        assert second.ready["resumed"] is True
        after = second.jobs(4)

    assert [event.data["job_id"] for event in [*before, *after]] == ids


def test_another_tenants_id_shows_nothing_of_that_tenant(
    door: str, base: str, stack: BackgroundStack
) -> None:
    """The id is honoured as a moment in time: what is read from there on is the caller's own."""
    victim, curious = f"victim-{door}", f"curious-{door}"
    with Reading(base, victim) as theirs:
        publish(stack, victim, f"{victim}-1")
        (event,) = theirs.jobs(1)
    publish(stack, victim, f"{victim}-2")

    with Reading(base, curious, since=event.id) as own:
        assert own.ready["resumed"] is True
        publish(stack, curious, f"{curious}-1")
        publish(stack, victim, f"{victim}-3")
        publish(stack, curious, f"{curious}-2")
        assert own.ids(2) == [f"{curious}-1", f"{curious}-2"]


def test_a_state_is_chosen_by_the_query(door: str, base: str, stack: BackgroundStack) -> None:
    user = f"choosy-{door}"
    with Reading(base, user, query="?state=done,failed") as chosen:
        publish(stack, user, f"{user}-1")
        publish(stack, user, f"{user}-2", state="done")

        assert chosen.ids(1) == [f"{user}-2"]


def test_nobody_chooses_a_tenant_and_nobody_is_none(base: str) -> None:
    other = get(f"{base}/stream?tenant=victim", **signed("curious"))
    unsigned = get(f"{base}/stream")

    assert (other.status_code, other.json()["error"]["code"]) == (400, "unknown_parameter")
    assert (unsigned.status_code, unsigned.json()["error"]["code"]) == (403, "forbidden")


def test_the_progress_of_a_job_arrives_as_the_worker_writes_it(stack: BackgroundStack) -> None:
    table = local_resource(stack).Table("items")
    with Reading(stack.url, "busy") as reading:
        percents = []

        def seen(_: float) -> None:
            (event,) = reading.jobs(1)
            percents.append(event.data["percent"])

        job_id = work(table, "busy", sleep=seen)
        (done,) = reading.jobs(1)

    assert percents == [100 * step // STEPS for step in range(STEPS)]
    assert (done.data["job_id"], done.data["state"]) == (job_id, "done")


def test_the_jobs_that_come_with_it_are_published(stack: BackgroundStack) -> None:
    assert stack.stack.settings.feed is not None
    said: list[str] = []
    with Reading(stack.url, "tenant-b") as reading:
        publish_lines(
            JOBS,
            put_into(local_client("dynamodb", stack.dynamodb.url), "items"),
            items_of(stack.stack.settings.feed),
            keep_times=False,
            say=said.append,
        )
        assert reading.ids(1) == ["b-1"]

    assert said == [f"{len(JOBS.splitlines())} published, 0 bad."]


def local_resource(stack: BackgroundStack) -> Any:
    return boto3.resource(
        "dynamodb",
        endpoint_url=stack.dynamodb.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
