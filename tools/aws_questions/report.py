"""The questions as a page, and the answers as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tools.aws_questions.asked import ASKED
from tools.aws_questions.by_hand import BY_HAND
from tools.aws_questions.question import Answer, ManualQuestion, Question

_INTRODUCTION = """\
# Questions for AWS

This repository was built without an AWS account. What only AWS can tell stands here: how it is
asked, what is assumed until it is answered, and what another answer would change.
(`python -m tools.aws_questions --page` writes this page.)

Deploy the probe ([tools/aws_questions/probe](../tools/aws_questions/probe/README.md)), then ask it:

```sh
make verify-aws APP=probe CONCURRENCY=5 \\
  URL=https://….lambda-url.eu-west-1.on.aws/ \\
  REST=https://….execute-api.eu-west-1.amazonaws.com/prod \\
  HTTP_API=https://….execute-api.eu-west-1.amazonaws.com
```

URL, REST and HTTP_API are the front doors that the probe has. One is enough: what the others would
tell is not asked. Each answer is printed beside what is assumed, and the command fails where one
differs. It takes some minutes a door, SILENCE (35 seconds) twice.
"""
_BY_HAND = """\
## By hand

These are about the account, the console or another kind of function: no request tells the answer.
"""


def page() -> str:
    """docs/questions-for-aws.md."""
    return "\n".join(
        [
            _INTRODUCTION,
            "## Asked by the tool",
            "",
            "| | question | how it is asked | assumed | what another answer changes |",
            "|---|---|---|---|---|",
            *(_row(number, question) for number, question in enumerate(ASKED, 1)),
            "",
            _BY_HAND,
            "| | question | how to find out | assumed | what another answer changes |",
            "|---|---|---|---|---|",
            *(_row(number, question) for number, question in enumerate(BY_HAND, len(ASKED) + 1)),
            "",
        ]
    )


def lines(answer: Answer) -> Iterator[str]:
    mark = "DIFFERS" if answer.differs else "as assumed" if answer.said else "not asked"
    yield f"{answer.door.value:8}  {answer.number:2}  {mark:10}  {answer.question.text}"
    yield f"{'':26}{answer.said or answer.why_not}"
    if answer.differs:
        yield f"{'':26}assumed: {answer.assumed}"
        yield f"{'':26}it changes: {answer.question.changes}"


def summary(answers: Sequence[Answer]) -> str:
    differing = sum(answer.differs for answer in answers)
    asked = sum(answer.said is not None for answer in answers)
    return f"{asked} answers, {differing} not as assumed, {len(answers) - asked} not asked"


def _assumed(question: Question | ManualQuestion) -> str:
    """Doors with the same answer share it."""
    if isinstance(question, ManualQuestion):
        return question.assumed
    doors_by_answer: dict[str, list[str]] = {}
    for door, answer in question.assumed.items():
        doors_by_answer.setdefault(answer, []).append(door.value)
    return "<br>".join(f"{', '.join(doors)}: {answer}" for answer, doors in doors_by_answer.items())


def _row(number: int, question: Question | ManualQuestion) -> str:
    cells = (str(number), question.text, question.how, _assumed(question), question.changes)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
