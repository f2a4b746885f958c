"""People copy the examples: what they do, others may do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lambda_streaming
import lambdas.sse_streaming
from tests.unit.architecture.houses import ROOT, tree

# What it puts on the path is what it shows.
LOADS_DEPENDENCIES = ROOT / "examples" / "service" / "dependencies.py"

FILES = sorted((ROOT / "examples").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_example_needs_only_what_is_public(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module.partition(".")[0] == "lambda_streaming":
                assert module == "lambda_streaming"
                assert {alias.name for alias in node.names} <= {*lambda_streaming.__all__}
            if module.partition(".")[0] == "lambdas":
                assert module == "lambdas.sse_streaming"
                assert {alias.name for alias in node.names} <= {*lambdas.sse_streaming.__all__}
            assert module.partition(".")[0] not in {"examples", "local_aws", "tests"}
        elif isinstance(node, ast.Import):
            assert not {alias.name.partition(".")[0] for alias in node.names} & {
                *("lambda_streaming", "lambdas", "local_aws", "tests"),
                *(() if path == LOADS_DEPENDENCIES else ("sys",)),
            }


@pytest.mark.parametrize(
    "folder",
    [one for one in sorted((ROOT / "examples").iterdir()) if (one / "__init__.py").is_file()],
    ids=lambda folder: folder.name,
)
def test_an_example_says_how_to_run_it(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")

    assert f"make run APP=examples.{folder.name}.app:handler" in text
