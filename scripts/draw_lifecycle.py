"""docs/run-lifecycle.md, from the table of transitions: a picture, the table, and a sentence for each signal."""

import sys
from pathlib import Path
from typing import get_args

from runstead.domain.run_lifecycle import NEXT, TERMINAL, Signal

SIGNALS: dict[Signal, str] = {
    "claimed": "A worker took the run, for the first time or after another one was lost or handed it back.",
    "released": "The worker stops and hands the run back, so that anybody may claim it at once.",
    "tools_requested": "The model called functions of the client's; the run waits for their outputs.",
    "outputs_submitted": "The client sent all outputs in one request.",
    "finished": "The model's answer is whole and asks for nothing.",
    "cut_short": "A token budget of the run, or the model's own limit, ended the answer early.",
    "failed": "The model's server refused or broke, a needed tool cannot be run, or a limit of this server was met.",
    "cancel_requested": "The client asked to cancel. Where nothing executes, the run is cancelled by that alone.",
    "stopped": "The worker has stopped what it did for a run that is being cancelled.",
    "deadline_passed": "`expires_at` came before the end.",
}

PAGE = """\
# The life of a run

Drawn by `scripts/draw-lifecycle` from the table `NEXT` in `src/runstead/domain/run_lifecycle.py`, which is the only place
that knows what may follow what. Do not edit it here. What holds a run together while workers come and go is told in
[design/runs.md](design/runs.md).

```mermaid
{diagram}
```

## Transitions

{table}

No other signal means anything in a status: it is an error of the program, it raises, and nothing is written. A client that
asks for something its run's status does not allow is refused with a 400 before it comes to that.

`{terminal}` are ends: no signal leads out of them.

## Signals

{signals}
"""


def page() -> str:
    """The whole file."""
    return PAGE.format(diagram=_diagram(), table=_table(), terminal="`, `".join(sorted(TERMINAL)), signals=_signals())


def _diagram() -> str:
    lines = ["stateDiagram-v2", "    [*] --> queued"]
    for status, ways in NEXT.items():
        lines += [f"    {status} --> {after}: {signal}" for signal, after in ways.items()]
    lines += [f"    {status} --> [*]" for status in sorted(TERMINAL)]
    return "\n".join(lines)


def _table() -> str:
    lines = ["| status | signal | next status |", "| --- | --- | --- |"]
    for status, ways in NEXT.items():
        lines += [f"| `{status}` | {signal} | `{after}` |" for signal, after in ways.items()]
    return "\n".join(lines)


def _signals() -> str:
    lines = ["| signal | what happened |", "| --- | --- |"]
    lines += [f"| {signal} | {SIGNALS[signal]} |" for signal in get_args(Signal)]
    return "\n".join(lines)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
