"""docs/compatibility.md says of this server what the conformance suite says of it now."""

from scripts.tell_conformance import table, with_table
from tests.docs.pages import read


def test_the_table_is_current():
    page = read("docs/compatibility.md")

    measured = table()

    assert with_table(page, measured) == page, "run scripts/tell-conformance"
    assert " 0 failed, 0 skipped" in measured
