"""docs/settings.md names every setting, with its default, and nothing else."""

import re

import pytest

from runstead import settings
from tests.docs.pages import PAGES, ROOT, read, rows

ENTRIES = {entry.name: entry for entry in settings.ENTRIES}
DOCUMENTED = {row[0]: row for row in rows(read("docs/settings.md"))}

# What the tests alone read: pages for those who work on the server may name it, and CONTRIBUTING.md explains it.
OF_TESTS = {"RUNSTEAD_BIN", "RUNSTEAD_PYTHON", "RUNSTEAD_TEST_EXAMPLES", "RUNSTEAD_TEST_POSTGRES"}


def test_what_tests_read_is_explained_where_contributors_look():
    assert set(re.findall(r"\bRUNSTEAD_[A-Z_]*[A-Z]\b", read("CONTRIBUTING.md"))) >= OF_TESTS


def test_every_setting_is_documented_and_every_documented_setting_is_one():
    assert set(DOCUMENTED) == set(ENTRIES)


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.default])
def test_the_default_is_the_documented_one(name):
    assert DOCUMENTED[name][1] == ENTRIES[name].default


@pytest.mark.parametrize("name", [name for name, entry in ENTRIES.items() if entry.is_secret])
def test_a_secret_is_said_to_be_one(name):
    assert "Secret" in DOCUMENTED[name][2]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "decisions" not in page.parts], ids=lambda page: str(page.relative_to(ROOT))
)
def test_pages_name_only_settings_that_exist(page):
    known = set(ENTRIES) | OF_TESTS
    named = set(re.findall(r"\bRUNSTEAD_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))

    assert named <= known
