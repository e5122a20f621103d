"""What the checks have seen of the API: counted as they speak to the server, told with the results."""

import re
from typing import Any

from runstead.conformance.kinds import shape
from runstead.conformance.shapes import Wire, table_of

IDS = re.compile(r"/(?:asst|thread|msg|run|step|file|vs|vsfb)[_-][^/]*")
KINDS = {
    "assistants": "assistant_id",
    "threads": "thread_id",
    "messages": "message_id",
    "runs": "run_id",
    "steps": "step_id",
    "files": "file_id",
    "vector_stores": "vector_store_id",
    "file_batches": "batch_id",
    "models": "model",
}


class Evidence:
    """Endpoints, fields, events and refusals that at least one check has judged."""

    def __init__(self) -> None:
        self.endpoints: set[tuple[str, str]] = set()
        self.fields: set[tuple[str, str]] = set()
        self.events: set[tuple[str, str]] = set()
        self.refusals: set[tuple[int, str]] = set()

    def answered(self, method: str, path: str) -> None:
        """An endpoint answered as it should."""
        self.endpoints.add((method, template(path)))

    def judge(self, wire: Wire, value: Any) -> list[str]:
        """What is wrong with an object of the API, and with those that it lists; what has no table is not judged."""
        fields = table_of(value, wire)
        if fields is None:
            return []
        name = str(value["object"])
        self.fields |= {(name, field) for field in fields if field in value}
        faults = [f"{name}{fault}" for fault in shape(fields)(value)]
        if name == "list" and isinstance(value.get("data"), list):
            for each in value["data"]:
                faults += self.judge(wire, each)
        return faults

    @property
    def counts(self) -> dict[str, int]:
        return {
            "endpoints": len(self.endpoints),
            "fields": len(self.fields),
            "events": len({name for _, name in self.events}),
            "errors": len(self.refusals),
        }


def template(path: str) -> str:
    """A path with the names of its parameters in place of their values."""
    parts = path.partition("?")[0].strip("/").split("/")
    for place in range(1, len(parts)):
        before = parts[place - 1]
        if before in KINDS and (IDS.fullmatch(f"/{parts[place]}") or before == "models"):
            parts[place] = f"{{{KINDS[before]}}}"
    return "/" + "/".join(parts)
