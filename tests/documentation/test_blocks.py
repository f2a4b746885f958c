"""Every block of code on these pages is tried by some test, or says why it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.documentation.blocks import blocks_of
from tests.documentation.moving import PROJECT_OF
from tests.documentation.shell import PagesShell

TRIED = {
    **{page: {"diff", "sh"} for page in PROJECT_OF},  # test_moving.py
    "docs/other-tools.md": {"sh", "ts", "yaml"},  # test_other_tools.py
    "docs/powertools.md": {"python"},  # test_powertools_page.py
    "docs/reference.md": {"python"},  # made of the code: tests/unit/documentation
    "docs/when-aws-ships-python-streaming.md": {"sh"},  # below
    "docs/comparison.md": set(),
}
NOT_RUN = {("docs/powertools.md", "it is what goes away")}


@pytest.mark.parametrize("page", TRIED)
def test_every_block_is_of_a_kind_that_a_test_tries(page: str) -> None:
    assert {block.language for block in blocks_of(page) if block.not_run is None} == TRIED[page]


def test_few_blocks_are_not_run_each_with_its_reason() -> None:
    found = [(page, block.not_run) for page in TRIED for block in blocks_of(page) if block.not_run]
    assert len(found) == len(NOT_RUN)
    assert set(found) == NOT_RUN


def test_no_fence_is_overlooked() -> None:
    """A fence that blocks_of() does not see would be a block that nothing tries."""
    for page in TRIED:
        text = Path(__file__).parents[2].joinpath(page).read_text(encoding="utf-8")
        fences = [line for line in text.splitlines() if line.lstrip().startswith("```")]
        assert len(fences) == 2 * len(blocks_of(page)), page


def test_lambdas_runtime_client_still_buffers(tmp_path: Path) -> None:
    """Should this fail, the day has come that docs/when-aws-ships-python-streaming.md is about."""
    blocks = blocks_of("docs/when-aws-ships-python-streaming.md", "sh")
    printed = PagesShell(tmp_path).run([block.code for block in blocks])
    assert printed.startswith("it buffers\n")
    assert "tools.verify_aws" in printed
