from __future__ import annotations

from local_aws.guardian import watch


def test_the_guardian_knows_which_groups_still_live() -> None:
    assert watch(iter([b"+1\n", b"+2\n", b"-1\n", b"+3\n"])) == {2, 3}
