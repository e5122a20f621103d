"""Runs checks one after the other and says what became of each; the last line is the sum."""

import sys
import traceback
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], None]
CHECKS: list[Check] = []


class Missing(Exception):
    """This client, or this server, does not have what the check is about."""


def check(act: Check) -> Check:
    """Registers a check; its name is the sentence that is printed."""
    CHECKS.append(act)
    return act


def run_all(client: Any) -> int:
    """Run everything that was registered; the exit status."""
    passed = failed = skipped = 0
    for act in CHECKS:
        name = act.__name__.replace("_", " ")
        try:
            act(client)
        except Missing as reason:
            skipped += 1
            print(f"skipped: {name}: {reason}")
        except Exception as error:  # noqa: BLE001 - whatever a client raises is the result
            failed += 1
            print(f"not ok: {name}: {type(error).__name__}: {error}")
            traceback.print_exc(file=sys.stderr)
        else:
            passed += 1
            print(f"ok: {name}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
