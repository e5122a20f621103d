"""Time to first token of runs, one at a time, while files are ingested and while none are, by turns.

With real weights of the embedding model: `python bench/ingestion.py DATA_DIR` after `runstead model prepare` there.
"""

import argparse
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import targets

WORDS = "The keeper of lighthouse {i} counts the ships that pass by in the night, and writes down what the wind did. "
BOUNDARY = "bench0boundary"


def main() -> None:
    """Prints medians of both kinds of turns, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir", type=Path, help="where `runstead model prepare` has put the weights")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--runs", type=int, default=60, help="in each turn")
    options = parser.parse_args()
    with targets.upstream() as port, targets.runstead(port, "burst-20", weights=options.data_dir) as ours:
        targets.first_tokens(ours, 20)
        quiet: list[float] = []
        busy: list[float] = []
        for turn in range(options.turns):
            quiet += targets.first_tokens(ours, options.runs)
            store = targets.post(ours.port, "/v1/vector_stores", {"name": f"turn {turn}"})["id"]
            for i in range(12):
                text = "".join(WORDS.format(i=n) for n in range(i * 5_000, i * 5_000 + 2_500))
                file = {"file_id": _upload(ours, text.encode())}
                targets.post(ours.port, f"/v1/vector_stores/{store}/files", file)
            busy += targets.first_tokens(ours, options.runs)
            left = _ask(ours, "GET", f"/v1/vector_stores/{store}")["file_counts"]
            if not left["in_progress"]:
                raise SystemExit("the files were read before the runs were through: take fewer runs")
            # What is left would make the next quiet turn a busy one.
            _ask(ours, "DELETE", f"/v1/vector_stores/{store}")
            time.sleep(3)
    targets.compared(quiet, "ingesting", busy)


def _upload(ours: targets.Target, contents: bytes) -> str:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--{BOUNDARY}\r\n'
    head += 'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    body = head.encode() + contents + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    id: str = _ask(ours, "POST", "/v1/files", body, kind)["id"]
    return id


def _ask(ours: targets.Target, method: str, path: str, body: bytes | None = None, kind: str = "") -> dict[str, Any]:
    request = urllib.request.Request(f"http://127.0.0.1:{ours.port}{path}", body, {"Content-Type": kind}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.load(answer))


if __name__ == "__main__":
    main()
