"""What is said when the server has started."""

from runstead import __version__
from runstead.app import Node
from runstead.settings import Settings


def banner(settings: Settings, host: str, port: int, node: Node) -> str:
    """Address, wire versions, model and store, for a person."""
    shown_host = f"[{host}]" if ":" in host else host
    keys = f"{len(settings.api_keys)} key(s)" if settings.api_keys else "any key (loopback only)"
    lines = [
        f"Runstead {__version__} listens on http://{shown_host}:{port}/v1",
        "  wire   assistants=v1 and assistants=v2",
        f"  model  {settings.model_url or 'embedded'}",
        f"  store  {settings.database_url}",
        f"  keys   {keys}",
    ]
    return "\n".join(lines)
