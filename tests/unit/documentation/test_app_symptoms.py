"""What the page of symptoms quotes from an app's log is what the library writes there."""

from __future__ import annotations

import ast

from tests.unit.documentation.pages import ROOT, quoted, rows_of, section_of

PAGE, HEADING = "docs/symptoms.md", "## An app of yours"
ROWS = rows_of(section_of(PAGE, HEADING), "seen")


def messages() -> str:
    """The texts in the library's code; what stands in two pieces there is one text."""
    trees = (
        ast.parse(path.read_text(encoding="utf-8"))
        for path in (ROOT / "src/lambda_streaming").rglob("*.py")
    )
    return "\n".join(
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_what_the_log_is_quoted_with_is_written_by_the_library() -> None:
    known = messages()
    quotes = [quote for _, said, _ in ROWS for quote in quoted(said)]
    assert len(quotes) > 12
    assert [quote for quote in quotes if quote not in known] == []


def test_every_symptom_says_what_to_do() -> None:
    assert [seen for seen, _, remedy in ROWS if not remedy] == []
