"""RUNSTEAD_MODEL_MAP: what the server calls the models that clients ask for."""

from collections.abc import Mapping


class BadModelMap(ValueError):
    """The setting cannot be read."""

    def __init__(self, entry: str) -> None:
        super().__init__(
            f"RUNSTEAD_MODEL_MAP has an entry {entry!r}; entries look like gpt-4o=qwen3 or *=llama3, with commas between"
        )


def parse_model_map(text: str) -> dict[str, str]:
    """`gpt-4o=qwen3,*=llama3` as a table. Raises BadModelMap."""
    table: dict[str, str] = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        asked, sign, served = (part.strip() for part in entry.partition("="))
        if not (asked and sign and served):
            raise BadModelMap(entry)
        table[asked] = served
    return table


def served_name(table: Mapping[str, str], asked: str) -> str:
    """The server's name for a model: its entry, the `*` entry, or the name itself."""
    return table.get(asked) or table.get("*") or asked
