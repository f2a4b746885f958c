"""Asks a deployed probe what only AWS can tell, and prints the answers.

    python -m tools.aws_questions --url https://….lambda-url.REGION.on.aws/

Requests are signed with the credentials of the environment where a front door asks for it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from tools.aws_questions import report
from tools.aws_questions.asked import ASKED
from tools.aws_questions.exchange import Client
from tools.aws_questions.question import Answer, Asking, Door, NotAskedError
from tools.open_stream import Sign, signed, unsigned
from tools.verify_aws import region_for

_SERVICES = {Door.URL: "lambda", Door.REST: "execute-api", Door.HTTP_API: "execute-api"}
_DOORS = {
    "url": "its Function URL, RESPONSE_STREAM",
    "rest": "a REST API's stage, responseTransferMode STREAM",
    "http-api": "an HTTP API's stage",
}
_SECONDS = {"patience": 30.0, "hang": 10.0, "silence": 35.0, "pause": 3.0}


class NoProbeError(Exception):
    """The address does not lead to the probe; the message is what it said."""


def probe_at(door: Door, base: str, patience_seconds: float) -> Client:
    """Requests are unsigned, unless that is refused. Raises NoProbeError."""
    client = Client(base, unsigned)
    try:
        seen = client.ask("/echo", patience_seconds=patience_seconds)
        if seen.status == 403:
            client = Client(base, _signature(door, base))
            seen = client.ask("/echo", patience_seconds=patience_seconds)
    except OSError as error:
        raise NoProbeError(f"{base} cannot be reached: {error}") from error
    if "event_names" not in seen.document:
        said = seen.body[:200].decode("utf-8", "replace")
        raise NoProbeError(
            f"{base} is not the probe: it answered {seen.status} {said!r}. Its handler is"
            " tools.aws_questions.probe.app.handler; a Function URL must have invoke mode"
            " RESPONSE_STREAM, a REST integration responseTransferMode STREAM"
        )
    return client


def answers_of(door: Door, asking: Asking) -> Iterator[Answer]:
    """One for each question about the door, in their order."""
    for number, question in enumerate(ASKED, 1):
        if door not in question.assumed:
            continue
        try:
            yield Answer(number, question, door, question.ask(asking))
        except (NotAskedError, OSError) as error:  # the others may still be answered
            yield Answer(number, question, door, None, f"{error}")


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise argparse.ArgumentTypeError(f"{text!r} is no address: it begins with https://")
    return text


def _signature(door: Door, base: str) -> Sign:
    import boto3
    from botocore.exceptions import NoRegionError

    session = boto3.session.Session()
    region = region_for(base, None, os.environ) or session.region_name
    if region is None:
        raise NoRegionError
    return signed(session, region, _SERVICES[door])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit status."""
    from botocore.exceptions import BotoCoreError

    parser = argparse.ArgumentParser(prog="aws_questions", description="Ask AWS by the probe.")
    for name, what in _DOORS.items():
        parser.add_argument(f"--{name}", type=_address, help=what)
    parser.add_argument("--concurrency", type=int, help="the function's reserved concurrency")
    for name, seconds in _SECONDS.items():
        parser.add_argument(f"--{name}", type=float, default=seconds, help="seconds")
    parser.add_argument("--page", action="store_true", help="write docs/questions-for-aws.md")
    given = parser.parse_args(arguments)
    if given.page:
        sys.stdout.write(report.page())
        return 0
    bases = {Door.URL: given.url, Door.REST: given.rest, Door.HTTP_API: given.http_api}
    if not any(bases.values()):
        parser.error("say which front doors the probe has: --url, --rest, --http-api")
    answers: list[Answer] = []
    try:
        for answer in _ask_all(bases, given):
            answers.append(answer)
            sys.stdout.write("\n".join(report.lines(answer)) + "\n")
            sys.stdout.flush()
    except (NoProbeError, BotoCoreError, OSError) as error:
        sys.stderr.write(f"aws_questions: {error}\n")
        return 1
    sys.stdout.write(f"{report.summary(answers)}\n")
    return exit_status(answers)


def exit_status(answers: Sequence[Answer]) -> int:
    """1 where an answer is not as assumed, or nothing was answered."""
    as_assumed = not any(answer.differs for answer in answers)
    return 0 if as_assumed and any(answer.said is not None for answer in answers) else 1


def _ask_all(bases: Mapping[Door, str | None], given: argparse.Namespace) -> Iterator[Answer]:
    for door, base in bases.items():
        if base:
            client = probe_at(door, base, given.patience)
            seconds = (given.patience, given.hang, given.silence, given.pause)
            yield from answers_of(door, Asking(client, *seconds, given.concurrency))


if __name__ == "__main__":
    sys.exit(main())
