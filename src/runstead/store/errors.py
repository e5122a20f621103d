"""Why a database cannot be served. These end the start; what goes wrong later is Unavailable."""

from pathlib import Path

from runstead.domain.errors import RunsteadError


class UnusableDatabase(RunsteadError):
    """The database cannot be opened as it is."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"The database {where} cannot be used: {reason}.")


class UnreachableDatabase(UnusableDatabase):
    """The server does not answer, or not yet. It may do so a moment later."""


class NewerDatabase(UnusableDatabase):
    """A later release has migrated this database; what it added is unknown here."""

    def __init__(self, where: str, found: int, known: int) -> None:
        super().__init__(
            where,
            f"its schema has version {found} and this program knows versions up to {known}; "
            "start the newer release again, or restore a backup from before it was installed",
        )


class DatabaseInUse(UnusableDatabase):
    """Another server already serves this file."""

    def __init__(self, where: Path, pid: str) -> None:
        super().__init__(
            str(where),
            f"another server (process {pid}) already serves it; stop that one, or use another data directory",
        )
