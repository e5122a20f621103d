"""docs/run-lifecycle.md is what scripts/draw-lifecycle draws now."""

import runpy
from typing import get_args

from runstead.domain.run_lifecycle import Signal
from tests.docs.pages import ROOT, read

DRAWING = runpy.run_path(str(ROOT / "scripts/draw_lifecycle.py"))


def test_the_page_is_current():
    assert read("docs/run-lifecycle.md") == DRAWING["page"](), "run scripts/draw-lifecycle"


def test_every_signal_is_explained():
    assert set(DRAWING["SIGNALS"]) == set(get_args(Signal))
