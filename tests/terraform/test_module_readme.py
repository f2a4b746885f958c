"""The module's README says what its files say, and checkov finds nothing that is not justified."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time

import pytest

from tests.absence import missing
from tests.terraform.terraform_cli import MODULE, ROOT
from tools.module_tables import Block, blocks, inputs, with_tables


def test_the_readmes_tables_are_the_files() -> None:
    readme = (MODULE / "README.md").read_text(encoding="utf-8")
    assert with_tables(readme) == readme, "run: python -m tools.module_tables"


def test_everything_is_described() -> None:
    files = [*MODULE.rglob("variables*.tf"), *MODULE.rglob("outputs.tf")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    found = [block for text in texts for block in blocks(text)]
    declared = sum(len(re.findall(r"^(?:variable|output) ", text, re.MULTILINE)) for text in texts)
    assert len(found) == declared
    assert [block.name for block in found if not block.description] == []
    assert [block.name for block in found if block.kind == "variable" and not block.type] == []
    # What a feed declares is the library's to say.
    open_ended = [one.name for one in inputs() if one.type == "object" and not one.fields]
    assert open_ended == ["feed"]


@pytest.mark.parametrize("example", ["minimal", "production"])
def test_an_example_can_be_verified_and_rolled_back(example: str) -> None:
    text = (MODULE / "examples" / example / "main.tf").read_text(encoding="utf-8")
    found = {(block.kind, block.name) for block in blocks(text)}
    assert ("variable", "live_version") in found
    assert {("output", name) for name in ("function_url", "function_name", "live_version")} <= found


def test_a_variable_is_read_with_its_default() -> None:
    text = (
        'variable "size_mb" {\n  description = "How large."\n  type        = number\n'
        "  default     = 512\n  nullable    = false\n\n  validation {\n    condition = true\n"
        "  }\n}\n"
    )
    assert list(blocks(text)) == [Block("variable", "size_mb", "How large.", "number", "512")]


def test_an_object_is_read_with_its_fields() -> None:
    text = (
        'variable "door" {\n  description = "Who may come in."\n  type = object({\n'
        "    names = list(string)\n    open  = optional(bool, false)\n"
        '    kinds = optional(list(string), ["a", "b"])\n    key   = optional(string)\n'
        "  })\n  default = null\n}\n"
    )
    (door,) = blocks(text)
    assert (door.type, door.default) == ("object", "null")
    assert door.fields == (
        "`names` (list(string), required)",
        "`open` (`false`)",
        '`kinds` (`["a", "b"]`)',
        "`key` (`null`)",
    )


@pytest.mark.ci
@pytest.mark.timeout(120)
def test_checkov_passes(seconds: dict[str, float]) -> None:
    started = time.monotonic()
    done = subprocess.run(
        [
            *(_checkov(), "--directory", str(MODULE), "--framework", "terraform"),
            *("--compact", "--skip-download", "--output", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    seconds["checkov"] = time.monotonic() - started
    report = json.loads(done.stdout)
    failed = [
        f"{check['check_id']} {check['resource']}: {check['check_name']}"
        for check in report["results"]["failed_checks"]
    ]
    assert failed == []
    assert report["results"]["parsing_errors"] == []
    assert report["summary"]["resource_count"] >= 40
    unexplained = [
        check["check_id"]
        for check in report["results"]["skipped_checks"]
        if len(check["check_result"].get("suppress_comment", "")) < 20
    ]
    assert unexplained == []


def _checkov() -> str:
    """It has its own environment: it pins half of PyPI. `make checkov` makes it."""
    places = (
        os.environ.get("CHECKOV"),
        str(ROOT / ".venv-checkov" / "bin" / "checkov"),
        "checkov",
    )
    for place in places:
        if place and (found := shutil.which(place)):
            return found
    return missing("checkov was found neither in .venv-checkov nor on PATH (make checkov)")
