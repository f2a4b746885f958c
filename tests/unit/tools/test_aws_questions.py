"""The questions for AWS, as a page and as lines; what the probe reads and tells."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.fakes.events import function_url_event, rest_api_event
from tools.aws_questions import report
from tools.aws_questions.__main__ import exit_status, main
from tools.aws_questions.asked import ASKED
from tools.aws_questions.asking import other_events, throttled
from tools.aws_questions.by_hand import BY_HAND
from tools.aws_questions.exchange import BROKEN, COMPLETE, Client, Seen
from tools.aws_questions.probe import app as probe
from tools.aws_questions.question import Answer, Asking, Door, ManualQuestion, Question
from tools.verify_aws import region_for

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "questions-for-aws.md"
QUESTIONS: list[Question | ManualQuestion] = [*ASKED, *BY_HAND]


def test_the_page_has_the_questions_of_the_tool() -> None:
    """`python -m tools.aws_questions --page > docs/questions-for-aws.md` brings it up to date."""
    assert PAGE.read_text("utf-8") == report.page()


def test_every_question_is_there_once_by_its_number() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", PAGE.read_text("utf-8"), re.M)
    assert rows == [(str(number), each.text) for number, each in enumerate(QUESTIONS, 1)]
    assert len({each.text for each in QUESTIONS}) == len(QUESTIONS)


def test_a_question_says_how_it_is_asked_and_what_its_answer_changes() -> None:
    assert all(each.how and each.assumed and each.changes for each in QUESTIONS)


def test_an_answer_is_printed_beside_what_is_assumed() -> None:
    question = next(each for each in ASKED if Door.REST in each.assumed)
    answers = [
        Answer(1, question, Door.REST, question.assumed[Door.REST]),
        Answer(1, question, Door.REST, "200: it is answered"),
        Answer(1, question, Door.REST, None, "no probe"),
    ]
    as_assumed, differing, not_asked = (list(report.lines(each)) for each in answers)

    assert "as assumed" in as_assumed[0]
    assert len(as_assumed) == 2
    assert "DIFFERS" in differing[0]
    assert "200: it is answered" in differing[1]
    assert f"assumed: {answers[0].said}" in differing[2]
    assert question.changes in differing[3]
    assert ("not asked" in not_asked[0], "no probe" in not_asked[1]) == (True, True)
    assert report.summary(answers) == "2 answers, 1 not as assumed, 1 not asked"
    assert exit_status(answers[:1]) == exit_status([answers[0], answers[2]]) == 0
    assert exit_status(answers) == exit_status(answers[2:]) == exit_status([]) == 1


def test_the_command_wants_a_front_door(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert "say which front doors the probe has" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--url", "abc123.lambda-url.eu-west-1.on.aws"])
    assert "'abc123.lambda-url.eu-west-1.on.aws' is no address" in capsys.readouterr().err


class Told(Client):
    """By which the probe tells which events it had besides requests."""

    def __init__(self, events: list[list[str]]) -> None:
        document = {"event_names": [], "other_events": events}
        self._seen = Seen(200, (), ((0.0, json.dumps(document).encode()),), COMPLETE)

    def ask(self, *given: object, **more: object) -> Seen:
        return self._seen


@pytest.mark.parametrize(
    ("events", "said"), [([], "none"), ([[]], "{}"), ([["a", "b"], ["list"]], "a b; list")]
)
def test_every_event_that_was_no_request_is_said(events: list[list[str]], said: str) -> None:
    assert other_events(Asking(Told(events), 1, 1, 1, 1)) == said


class CutOff(Client):
    """Whose first request gets no answer; the others get `status`."""

    def __init__(self, status: int) -> None:
        self._answers = [Seen(None, (), (), BROKEN), *[Seen(status, (), (), COMPLETE)] * 2]

    def ask(self, *given: object, **more: object) -> Seen:
        return self._answers.pop(0)


@pytest.mark.parametrize(
    ("status", "said"), [(429, "429 with no JSON"), (200, "cut off before the head")]
)
def test_a_request_without_an_answer_was_not_refused(status: int, said: str) -> None:
    assert throttled(Asking(CutOff(status), 1, 1, 1, 1, concurrency=2)) == said


def test_the_region_of_a_front_door_is_in_its_host() -> None:
    url = "https://abc123.lambda-url.eu-west-1.on.aws/"
    assert region_for(url, None, {}) == "eu-west-1"
    rest = "https://abc123.execute-api.eu-north-1.amazonaws.com/prod"
    assert region_for(rest, None, {}) == "eu-north-1"


def test_the_probe_reads_requests_of_either_format() -> None:
    url = probe.asked(function_url_event("GET", "/bytes/x%2Fy", "count=2"))
    rest = probe.asked(rest_api_event("GET", "/bytes", "count=2"))
    assert url is not None
    assert rest is not None
    assert (url.what, url.raw_path, url.is_streamed) == ("bytes", "/bytes/x%2Fy", True)
    assert (rest.what, rest.number("count", 10), rest.is_streamed) == ("bytes", 2, True)
    http_api = probe.asked({"version": "1.0", "path": "/x", "httpMethod": "GET"})
    assert http_api is not None
    assert not http_api.is_streamed
    assert probe.asked({"Records": []}) is None


def test_what_a_request_may_cost_is_bounded() -> None:
    request = probe.Asked("/late", {"seconds": "9e9", "count": "-1"}, is_streamed=True)
    assert request.number("seconds", probe.MAX_SECONDS) == probe.MAX_SECONDS
    assert request.number("count", probe.MAX_BYTES) == 0
