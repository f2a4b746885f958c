from __future__ import annotations

import pytest

from local_aws.app.env_file import parse_env_file


def test_lines_are_names_and_values() -> None:
    text = """
    # a comment
    PLAIN=one two  # with a comment
    HASH=a#b
    export QUOTED="three # four"
    SINGLE='five=5'
    EMPTY=
    PLAIN=again
    """
    assert parse_env_file(text) == {
        "PLAIN": "again",
        "HASH": "a#b",
        "QUOTED": "three # four",
        "SINGLE": "five=5",
        "EMPTY": "",
    }


@pytest.mark.parametrize("line", ["sk-secret", "A B=sk-secret", "A='sk-secret", "A='sk-secret' x"])
def test_a_bad_line_is_named_and_its_content_is_not(line: str) -> None:
    with pytest.raises(ValueError, match="line 2") as refused:
        parse_env_file(f"A=1\n{line}\n")
    assert "secret" not in str(refused.value)
