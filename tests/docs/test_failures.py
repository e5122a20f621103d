"""Every failure that docs/operations.md tells of is brought about by a test, which it names."""

import re

from tests.docs.pages import ROOT, read, rows, section

TESTS = {name for file in ROOT.glob("tests/**/test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())}


def test_every_failure_names_tests_that_exist():
    failures = rows(section(read("docs/operations.md"), "What a failure looks like"))

    assert len(failures) > 15
    for failure, _, shown_by in failures:
        named = shown_by.split()
        assert named, failure
        assert set(named) <= TESTS, failure


def test_every_test_of_a_loss_is_named():
    page = read("docs/operations.md")
    files = [
        *ROOT.glob("tests/acceptance/cluster/test_*_losses.py"),
        ROOT / "tests/acceptance/cluster/test_partitions.py",
    ]

    for file in files:
        for name in re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE):
            assert name in page, name
