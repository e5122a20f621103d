"""The pages lead somewhere, and each is reached from the index."""

import re

import pytest

from tests.docs.pages import PAGES, ROOT, links, read


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page):
    for target in links(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_page_is_reached_from_the_index():
    seen, waiting = set(), [ROOT / "docs/index.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        waiting += [(page.parent / target).resolve() for target in links(page.read_text()) if target.endswith(".md")]

    assert set(ROOT.glob("docs/**/*.md")) <= seen


def test_every_decision_has_a_row_in_the_index():
    index = read("docs/decisions/README.md")
    numbers = [path.name[:4] for path in sorted(ROOT.glob("docs/decisions/0*.md"))]

    assert re.findall(r"^\| \[(\d{4})\]", index, re.MULTILINE) == numbers


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/decisions/0*.md")), ids=lambda page: page.stem)
def test_a_decision_has_its_four_headings(page):
    headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)

    assert headings == ["Context", "Decision", "Consequences", "What would change our mind"]


@pytest.mark.parametrize("snippet", sorted(ROOT.glob("changelog.d/*.*.md")), ids=lambda path: path.name)
def test_a_changelog_snippet_has_a_kind(snippet):
    kind = snippet.name.split(".")[-2]

    assert kind in {"added", "changed", "deprecated", "removed", "fixed", "security"}
    assert snippet.read_text(encoding="utf-8").strip().endswith(".")
