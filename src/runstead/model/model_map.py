"""RUNSTEAD_MODEL_MAP: what the server calls the models that clients ask for."""

from collections.abc import Mapping


def served_name(table: Mapping[str, str], asked: str) -> str:
    """The server's name for a model: its entry, the `*` entry, or the name itself."""
    return table.get(asked) or table.get("*") or asked
