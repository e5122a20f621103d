"""docs/compatibility.md says of this server what the conformance suite says of it now."""

import runpy

from tests.docs.pages import ROOT, read

TELLER = runpy.run_path(str(ROOT / "scripts/tell_conformance.py"))


def test_the_table_is_current():
    page = read("docs/compatibility.md")

    measured = TELLER["table"]()

    assert TELLER["with_table"](page, measured) == page, "run scripts/tell-conformance"
    assert " 0 failed, 0 skipped" in measured
