"""Judges recorded answers by an OpenAPI document."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import jsonschema_rs

from tests.schema.documents import Json, schema_of_answer, schemas_of_events
from tests.schema.recorded import Recorded


class Judge:
    """One document, and what it makes of answers."""

    def __init__(self, described: Json, events: dict[str, Json] | None = None) -> None:
        self._described = described
        self._events = schemas_of_events(described) if events is None else events
        self._validators: dict[str, Any] = {}
        self.judged: Counter[str] = Counter()
        self.unknown: list[str] = []
        """Answers of which the document says nothing, refusals left out: what is not there may be asked for."""

    def faults(self, answers: Iterable[Recorded]) -> list[str]:
        """A sentence for each thing in which an answer differs from the document."""
        return [f"{answer}: {fault}" for answer in answers for fault in self._faults_of(answer)]

    def _faults_of(self, answer: Recorded) -> list[str]:
        schema = self._schema_of(answer)
        if schema is None:
            self.unknown += [str(answer)] if answer.status < 400 else []
            return []
        self.judged["events" if answer.event else "answers"] += 1
        key = str(schema)
        if key not in self._validators:
            whole = {**schema, "components": self._described["components"]}
            self._validators[key] = jsonschema_rs.validator_for(whole, validate_formats=False)
        return [_told(error) for error in self._validators[key].iter_errors(answer.value)]

    def _schema_of(self, answer: Recorded) -> Json | None:
        if answer.event is not None:
            return self._events.get(answer.event)
        if answer.status >= 400 and "ErrorResponse" in self._described["components"]["schemas"]:
            # The original describes the body of a refusal, and no operation says that it answers with one.
            return {"$ref": "#/components/schemas/ErrorResponse"}
        return schema_of_answer(self._described, answer.method, answer.path, answer.status)


def _told(error: Any) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    return f"{place or 'the whole'}: {error.message[:300]}"
