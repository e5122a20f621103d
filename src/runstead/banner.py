"""What is said when the server has started."""

from runstead import __version__
from runstead.logs import without_credentials
from runstead.settings import Settings

EMBEDDED = [
    "embedded, a tiny one: it proves that everything works, and it is no assistant.",
    "For answers worth reading set RUNSTEAD_MODEL_URL to a chat-completions server.",
]


def banner(
    settings: Settings,
    host: str,
    port: int,
    *,
    missing: str | None,
    role: str = "all",
    code: str = "",
    words_alone: str | None = None,
) -> str:
    """Address, wire versions, model and store, for a person.

    `missing` is what the embedded model lacks, `code` what model-written code finds, and
    `words_alone` why files are not found by what they mean.
    """
    shown_host = f"[{host}]" if ":" in host else host
    if settings.model_url is not None:
        model = [without_credentials(settings.model_url)]
    else:
        model = EMBEDDED if missing is None else ["none, so every run will fail.", missing]
    count = len(settings.api_keys)
    keys = f"{count} accepted" if count else "none asked for, which is why only this machine is served"
    return "\n".join(
        [
            f"Runstead {__version__} listens on http://{shown_host}:{port}/v1",
            "  wire   assistants=v1 and assistants=v2",
            f"  model  {model[0]}",
            *(f"         {line}" for line in model[1:]),
            *([f"  search {words_alone}"] if words_alone else []),
            *([f"  code   {code}"] if code else []),
            f"  store  {without_credentials(settings.database_url)}",
            *_files(settings),
            *_cluster(settings, role),
            f"  keys   {keys}",
        ]
    )


def _files(settings: Settings) -> list[str]:
    lines = [f"  files  {without_credentials(settings.blobs_url)}"]
    if settings.hides_files:
        lines.append(
            "         Nodes on other machines do not see them: set RUNSTEAD_BLOBS_URL to a bucket, on every node."
        )
    return lines


def _cluster(settings: Settings, role: str) -> list[str]:
    if settings.nats_url is None:
        return []
    return [f"  bus    {', '.join(map(without_credentials, settings.nats_url.split(',')))}", f"  role   {role}"]
