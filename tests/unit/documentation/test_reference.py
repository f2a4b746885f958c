"""docs/reference.md is what the docstrings of the public face say."""

from __future__ import annotations

import re

import pytest

import lambda_streaming
from lambdas import sse_streaming
from tests.unit.documentation.pages import text_of
from tools import reference


def test_the_page_is_made_of_the_docstrings_as_they_are() -> None:
    assert text_of("docs/reference.md") == reference.page(), "run `make reference`"


def test_every_public_name_has_its_section() -> None:
    named = re.findall(r"^### (\w+)$", text_of("docs/reference.md"), re.MULTILINE)
    public = {*lambda_streaming.__all__, *sse_streaming.__all__}
    assert sorted([*named, "__version__"]) == sorted(public)


def test_every_option_of_asgi_is_explained() -> None:
    section = text_of("docs/reference.md").partition("### asgi")[2].partition("### wsgi")[0]
    signature, text = section.split("```\n", 1)
    options = re.findall(r"^    (\w+): ", signature, re.MULTILINE)
    assert len(options) > 15
    assert [name for name in options if f"`{name}`" not in text] == []


def test_a_public_name_without_a_docstring_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_streaming.wsgi, "__doc__", None)
    with pytest.raises(ValueError, match="wsgi has no docstring"):
        reference.page()


def test_a_public_name_without_a_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_streaming, "__all__", [*lambda_streaming.__all__, "newer"])
    with pytest.raises(ValueError, match="no group for newer"):
        reference.page()


def test_types_that_signatures_name_are_explained() -> None:
    page = text_of("docs/reference.md")
    signatures = " ".join(re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    named = set(
        re.findall(r"\b(?:Headers|Body|Finish|Event|OnEnd|OtherEvents|Pairs)\b", signatures)
    )
    explained = re.findall(r"^- `(\w+)`", page.partition("## Types")[2], re.MULTILINE)
    assert named <= set(explained)
    assert len(named) == 7
