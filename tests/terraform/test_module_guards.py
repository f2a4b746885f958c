"""Wrong configurations are refused, in words that tell the user what to do."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest

from tests.terraform.terraform_cli import MODULE, Terraform

GUARDS = MODULE / "tests" / "guards.tftest.hcl"
_RUN = re.compile(r'^run "(?P<name>\w+)" \{\n(?P<body>.*?)^\}\n', re.MULTILINE | re.DOTALL)
_SAYS = re.compile(r"# says: (.+)")
_EXPECTATION = re.compile(r"^ *expect_failures = .*\n", re.MULTILINE)


def broken_variants() -> dict[str, str]:
    """What each broken variant of the guards' test file must say, by its name."""
    runs = _RUN.finditer(GUARDS.read_text(encoding="utf-8"))
    return {run["name"]: says[1] for run in runs if (says := _SAYS.search(run["body"]))}


# Terraform plans some forty variants of the module in one run.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def complaints(module: Terraform) -> dict[str, str]:
    """What a user reads for each broken variant: its run without the expectation to fail."""
    text = GUARDS.read_text(encoding="utf-8")
    shared = text[: text.index("run ")]
    folder = module.directory / "broken"
    folder.mkdir()
    for run in _RUN.finditer(text):
        if _SAYS.search(run["body"]):
            alone = _EXPECTATION.sub("", run[0])
            (folder / f"{run['name']}.tftest.hcl").write_text(shared + alone, encoding="utf-8")
    outcome = module(
        "test", "-json", "-test-directory=broken", expect=(1,), label="test: what guards say"
    )
    said: defaultdict[str, str] = defaultdict(str)
    for message in outcome.messages():
        if message["type"] == "diagnostic":
            name = Path(message.get("@testfile", "")).name.removesuffix(".tftest.hcl")
            said[name] += " ".join(message["diagnostic"].get("detail", "").split()) + "\n"
    return said


@pytest.mark.ci
@pytest.mark.parametrize(("variant", "says"), broken_variants().items())
def test_a_broken_variant_says_what_to_do(
    variant: str, says: str, complaints: dict[str, str]
) -> None:
    assert says in complaints[variant]


def test_every_expected_failure_names_its_words() -> None:
    text = GUARDS.read_text(encoding="utf-8")
    assert len(broken_variants()) == text.count("expect_failures") >= 25


@pytest.mark.ci
def test_the_modules_own_tests_pass(module: Terraform) -> None:
    outcome = module("test", "-filter=tests/guards.tftest.hcl", label="test: guards, mocked")
    assert "0 failed" in outcome.text


def test_files_are_formatted(module: Terraform) -> None:
    assert module("fmt", "-check", "-recursive").status == 0


@pytest.mark.parametrize("example", ["minimal", "production"])
def test_examples_are_valid(module: Terraform, example: str) -> None:
    inside = Terraform(module.directory / "examples" / example)
    inside.init()
    inside("validate")
