"""Which wire a request speaks: the OpenAI-Beta header, a list that may name other betas too."""

from runstead.http.api import Version
from runstead.http.errors import InvalidBeta

_VERSIONS: dict[str, Version] = {"v1": "v1", "v2": "v2"}


def version_of(header: str | None, *, is_required: bool) -> Version:
    """The version asked for, v2 when none is. Raises InvalidBeta for none where one is required, or an unknown one."""
    for part in (header or "").split(","):
        name, _, value = part.partition("=")
        if name.strip().lower() != "assistants":
            continue
        version = _VERSIONS.get(value.strip().lower())
        if version is None:
            raise InvalidBeta
        return version
    if is_required:
        raise InvalidBeta
    return "v2"
