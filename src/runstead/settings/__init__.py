"""Settings: the environment as one frozen struct."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from platformdirs import user_data_path

from runstead.settings.table import ENTRIES, Entry
from runstead.settings.values import Launchers

__all__ = ["ENTRIES", "BadSetting", "Entry", "Launchers", "Settings", "load", "unknown"]


class BadSetting(Exception):
    """A variable whose value cannot be used; says which and what would do."""

    def __init__(self, name: str, value: str, remedy: str) -> None:
        super().__init__(f"{name}={value!r} cannot be used: {remedy}")


class Settings(Struct, frozen=True, kw_only=True):
    """What the server was told."""

    data_dir: Path
    database_url: str
    database_connections: int
    database_wait: float
    blobs_url: str
    nats_url: str | None
    nats_credentials: Path | None
    nats_ca: Path | None
    nats_certificate: Path | None
    nats_certificate_key: Path | None
    nats_replicas: int
    nats_max_bytes: int
    model_url: str | None
    model_key: str | None
    model_map: dict[str, str]
    model_window: int | None
    model_ca: Path | None
    model_idle_limit: float
    embeddings_url: str | None
    embeddings_key: str | None
    embeddings_model: str | None
    embeddings_window: int
    reranker_url: str | None
    reranker_key: str | None
    reranker_model: str | None
    rewrite_model: str | None
    search_memory: int
    api_keys: tuple[str, ...]
    cors_origins: tuple[str, ...]
    run_expires_after: int
    max_model_calls: int
    max_runs: int
    lease_for: float
    drain_for: float
    max_body: int
    max_upload: int
    requires_beta: bool
    code_timeout: float
    sandbox: Launchers
    sandbox_python: str | None
    sandbox_requirements: Path | None
    sandbox_memory: int
    sandbox_disk: int
    sandbox_processes: int
    sandbox_output: int
    sandbox_files: int
    sandbox_images: int
    sandbox_idle: float
    sandbox_lifetime: float
    sandbox_sessions: int
    sandbox_warm: int
    sandbox_strict: bool
    sandbox_uids: tuple[int, int]
    sandbox_cgroup: Path | None
    sandbox_runsc: str | None
    sandbox_url: str | None
    sandbox_secret: str | None
    sandbox_ca: Path | None
    log_level: str

    @property
    def is_postgres(self) -> bool:
        """Whether the database is a server's, and not a file."""
        return not self.database_url.startswith("sqlite:///")

    @property
    def hides_files(self) -> bool:
        """Whether this node keeps contents of files where the others, of which there may be some, cannot see them."""
        return self.nats_url is not None and self.blobs_url.startswith("file:")

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return Path(self.database_url.removeprefix("sqlite:///"))


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings an environment holds. Raises BadSetting; an empty value is the default."""
    values: dict[str, Any] = {}
    for entry in ENTRIES:
        text = environment.get(entry.name, "").strip() or entry.default
        try:
            values[entry.field] = entry.read(text)
        except ValueError as error:
            shown = "(hidden)" if entry.is_secret else text
            raise BadSetting(entry.name, shown, str(error)) from None
    if values["nats_url"] and not values["database_url"].startswith(("postgresql://", "postgres://")):
        raise BadSetting(
            "RUNSTEAD_NATS_URL", "(hidden)", "several nodes need RUNSTEAD_DATABASE_URL=postgresql://… too."
        )
    if values["nats_certificate_key"] and not values["nats_certificate"]:
        key = str(values["nats_certificate_key"])
        raise BadSetting(
            "RUNSTEAD_NATS_CERTIFICATE_KEY", key, "RUNSTEAD_NATS_CERTIFICATE, which it is for, is not set."
        )
    if values["embeddings_url"] and not values["embeddings_model"]:
        raise BadSetting("RUNSTEAD_EMBEDDINGS_MODEL", "", "the server at RUNSTEAD_EMBEDDINGS_URL has to be told one.")
    values["data_dir"] = (values["data_dir"] or _users_folder()).absolute()
    values["database_url"] = values["database_url"] or f"sqlite:///{values['data_dir'] / 'runstead.db'}"
    values["blobs_url"] = values["blobs_url"] or (values["data_dir"] / "files").as_uri()
    return Settings(**values)


def _users_folder() -> Path:
    try:
        return user_data_path("runstead")
    except RuntimeError:
        raise BadSetting(
            "RUNSTEAD_DATA_DIR", "", "this user has no home folder; name one to keep everything in."
        ) from None


def unknown(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Variables that look like settings and are none: most likely misspelt."""
    known = {entry.name for entry in ENTRIES}
    return sorted(name for name in environment if name.startswith("RUNSTEAD_") and name not in known)
