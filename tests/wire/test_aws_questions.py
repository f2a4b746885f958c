"""The probe is asked through the local stack, where each answer is known, and through a front door
that behaves otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local_aws.background import BackgroundStack
from tests.examples.ways import STAGE, served
from tests.fakes.other_door import other_door
from tools.aws_questions.__main__ import answers_of, main, probe_at
from tools.aws_questions.asked import ASKED
from tools.aws_questions.exchange import Client
from tools.aws_questions.question import Answer, Asking, Door
from tools.open_stream import unsigned

CONCURRENCY = 4
PATIENCE_SECONDS = 30.0
SILENCE_SECONDS = 0.3


@pytest.fixture(scope="module")
def stack() -> Iterator[BackgroundStack]:
    with served(
        "tools.aws_questions.probe.app:handler", LOCAL_CONCURRENCY=str(CONCURRENCY)
    ) as running:
        yield running


def asking(client: Client, *, concurrency: int | None = CONCURRENCY) -> Asking:
    return Asking(
        client,
        patience_seconds=PATIENCE_SECONDS,
        hang_seconds=0.3,
        silence_seconds=SILENCE_SECONDS,
        pause_seconds=0.8,
        concurrency=concurrency,
    )


def address(stack: BackgroundStack, door: Door) -> str:
    return {
        Door.URL: stack.url,
        Door.REST: stack.door_url("rest_api") + STAGE,
        Door.HTTP_API: stack.door_url("http_api"),
    }[door]


def numbers(door: Door) -> list[int]:
    return [number for number, question in enumerate(ASKED, 1) if door in question.assumed]


@pytest.mark.parametrize("door", Door)
def test_the_local_stack_answers_as_it_is_assumed_of_aws(
    door: Door, stack: BackgroundStack
) -> None:
    client = probe_at(door, address(stack, door), PATIENCE_SECONDS)

    answers = list(answers_of(door, asking(client)))

    assert [answer.number for answer in answers] == numbers(door)
    assert {answer.number: answer.said for answer in answers} == {
        answer.number: answer.assumed for answer in answers
    }


def test_every_answer_of_a_door_that_behaves_otherwise_is_seen_to_differ() -> None:
    answers: list[Answer] = []
    with other_door(silence_seconds=SILENCE_SECONDS) as url:
        for door in Door:
            client = probe_at(door, url, PATIENCE_SECONDS)
            answers += answers_of(door, asking(client))

    assert {answer.number for answer in answers} == set(range(1, len(ASKED) + 1))
    assert [answer for answer in answers if not answer.differs] == []


def test_the_command_fails_where_an_answer_differs(capsys: pytest.CaptureFixture[str]) -> None:
    with other_door(silence_seconds=SILENCE_SECONDS) as url:
        short = ["--hang", "5", "--silence", str(SILENCE_SECONDS), "--pause", "0.1"]
        assert main(["--url", url, *short]) == 1
    printed = capsys.readouterr().out
    assert "assumed: 200: it hangs; 302: it hangs; 404: it hangs" in printed
    assert "it changes: If it is answered: STREAMING_EMPTY_BODY=none" in printed
    assert "give CONCURRENCY=" in printed
    assert printed.endswith("18 answers, 18 not as assumed, 1 not asked\n")


@pytest.mark.parametrize("path", ["/headers?form=none", "/bytes?status=ok", "/late?seconds=soon"])
def test_the_probe_outlives_a_request_that_it_does_not_understand(
    path: str, stack: BackgroundStack
) -> None:
    client = Client(stack.url, unsigned)
    assert client.ask(path, patience_seconds=PATIENCE_SECONDS).status == 502
    assert client.ask("/echo", patience_seconds=PATIENCE_SECONDS).document["invocations"] > 1


def test_requests_are_signed_where_the_door_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "unused")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with other_door(silence_seconds=SILENCE_SECONDS, asks_for_signature=True) as url:
        signing = probe_at(Door.URL, url, PATIENCE_SECONDS)
        assert signing.ask("/echo", patience_seconds=PATIENCE_SECONDS).status == 200
        plain = Client(url, unsigned)
        assert plain.ask("/echo", patience_seconds=PATIENCE_SECONDS).status == 403


def test_another_function_is_not_taken_for_the_probe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with served("examples.chat.app:handler") as other:
        assert main(["--url", other.url]) == 1
    assert "is not the probe: it answered 404" in capsys.readouterr().err
