"""Wrong configurations are refused in the plan, in words that tell the user what to do."""

from __future__ import annotations

import re
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.terraform.deployment import client, items_table
from tests.terraform.roots import PROVIDER, call, root
from tests.terraform.terraform_cli import Outcome, Terraform
from tests.terraform.wrong_inputs import WRONG, Wrong

# About a hundred copies of the module are planned.
pytestmark = pytest.mark.timeout(600)

COPIES = 13
AFRICA = 'provider "aws" {\n  alias  = "africa"\n  region = "af-south-1"\n}\n'
MANIFEST = '{"lambda_streaming_manifest":1,"architecture":"x86_64","python":"3.13"}'


@pytest.fixture(scope="module")
def complaints(
    module: Terraform,
    aws: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    seconds: dict[str, float],
) -> dict[str, str]:
    """What a user reads for each wrong input: many copies of the module in few plans.

    Terraform stops at what it can tell without the provider, so that what is left comes again.
    """
    _what_inputs_name(aws)
    place = tmp_path_factory.mktemp("guards")
    started = time.monotonic()
    # Terraform's time grows with the square of the copies in a root.
    some = [WRONG[start : start + COPIES] for start in range(0, len(WRONG), COPIES)]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda asked: _said(asked, place / asked[0].name, aws), some)
        said = dict(pair for each in found for pair in each.items())
    seconds["terraform, plan: guards"] = time.monotonic() - started
    return said


def _said(asked: list[Wrong], place: Path, aws: Mapping[str, str]) -> dict[str, str]:
    said: defaultdict[str, str] = defaultdict(str)
    for number in range(3):
        if not (left := [wrong for wrong in asked if wrong.name not in said]):
            break
        text = PROVIDER + AFRICA + "".join(call(wrong.name, arguments(wrong)) for wrong in left)
        wrongly = root(place / str(number), text, aws)
        _packages(wrongly.directory)
        outcome = wrongly("plan", "-json", "-input=false", expect=(0, 1))
        for name, detail in diagnostics(outcome, left, text):
            said[name] += detail + "\n"
    return said


def arguments(wrong: Wrong) -> str:
    given = wrong.arguments
    return given if "package_path" in given else f'package_path = "any.zip"\n{given}'


def diagnostics(outcome: Outcome, asked: list[Wrong], text: str) -> Iterator[tuple[str, str]]:
    """Each error's words, with the name of the module call that it belongs to."""
    lines = text.splitlines()
    for message in outcome.messages():
        if message["type"] != "diagnostic" or message["diagnostic"]["severity"] != "error":
            continue
        found = message["diagnostic"]
        words = " ".join(f"{found['summary']} {found.get('detail', '')}".split())
        address = re.match(r"module\.(\w+)", found.get("address", ""))
        place = found.get("range", {})
        if address:
            yield address[1], words
        elif place.get("filename") == "main.tf":
            above = reversed(lines[: place["start"]["line"]])
            yield next(line.split('"')[1] for line in above if line.startswith("module")), words
        else:
            # A part's own variable: the range is a line of the module, which all copies share.
            for wrong in asked:
                if wrong.says in words:
                    yield wrong.name, words


def _packages(place: Path) -> None:
    for name in ("any", "sse-streaming-py3.12-arm64", "sse-streaming-py3.13-x86_64"):
        (place / f"{name}.zip").write_bytes(b"stands for a zip where nothing is deployed")
    with zipfile.ZipFile(place / "x86_64.zip", "w") as archive:
        archive.writestr("lambda_streaming_manifest.json", MANIFEST)
        archive.writestr("code.py", "x" * 100, zipfile.ZIP_DEFLATED)


def _what_inputs_name(aws: Mapping[str, str]) -> None:
    keys = {"/key": "0123456789abcdef" * 2, "/weak": "short", "/wide": "é" * 33}
    with client("ssm", aws) as parameters:
        for name, value in keys.items():
            parameters.put_parameter(Name=name, Type="SecureString", Value=value, Overwrite=True)
    with client("dynamodb", aws) as tables:
        for name, time in (("good", "N"), ("texts", "S")):
            tables.create_table(**items_table(name, time=time))


@pytest.mark.ci
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_a_wrong_input_is_refused_with_the_way_out(
    wrong: Wrong, complaints: dict[str, str]
) -> None:
    assert wrong.says in complaints[wrong.name]


def test_every_wrong_input_has_its_name() -> None:
    assert len({wrong.name for wrong in WRONG}) == len(WRONG) >= 60


def test_files_are_formatted(module: Terraform) -> None:
    assert module("fmt", "-check", "-recursive").status == 0


@pytest.mark.parametrize("example", ["minimal", "production"])
def test_examples_are_valid(module: Terraform, example: str) -> None:
    inside = Terraform(module.directory / "examples" / example)
    inside.init()
    inside("validate")
