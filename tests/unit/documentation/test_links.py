"""Every link between pages leads somewhere, and every page can be reached."""

from __future__ import annotations

import re

import pytest

from tests.unit.documentation.pages import PAGES, ROOT, prose_of

_LINK = re.compile(r"\]\(([^()\s]+)\)")


def links_in(page: str) -> list[str]:
    """Where a page's links lead, but for those to elsewhere."""
    return [link for link in _LINK.findall(prose_of(page)) if not re.match(r"\w+:", link)]


def target_of(page: str, link: str) -> str:
    """The linked file or folder, from the repository's root."""
    path = link.partition("#")[0]
    target = (ROOT / page).parent / path if path else ROOT / page
    return str(target.resolve().relative_to(ROOT))


def anchors_of(page: str) -> set[str]:
    """As the hosting platform makes them of headings."""
    anchors: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchors.add(plain if plain not in anchors else f"{plain}-1")
    return anchors


def problem_with(page: str, link: str) -> str | None:
    target, anchor = target_of(page, link), link.partition("#")[2]
    if not (ROOT / target).exists():
        return f"{page}: {link} leads nowhere"
    if anchor and anchor not in anchors_of(target):
        return f"{page}: {link}: that page has no such heading"
    return None


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    problems = [problem_with(page, link) for link in links_in(page)]
    assert [problem for problem in problems if problem] == []


def test_a_dead_link_is_found() -> None:
    assert problem_with("README.md", "docs/settings.md#tracing") is None
    assert problem_with("docs/settings.md", "../README.md") is None
    assert problem_with("README.md", "docs/none.md") is not None
    assert problem_with("README.md", "docs/settings.md#none") is not None
    assert problem_with("README.md", "#none") is not None


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, ahead = set[str](), ["README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in (target_of(page, link) for link in links_in(page)):
            # A linked folder shows the pages in it.
            ahead += [other for other in PAGES if other == target or other.startswith(f"{target}/")]
    assert [page for page in PAGES if page not in reached] == []
