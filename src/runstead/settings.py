"""Settings: the environment as one frozen struct. Every name, default and meaning stands in the table below."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args
from urllib.parse import urlsplit

from msgspec import Struct
from platformdirs import user_data_path

Launchers = Literal["auto", "bubblewrap", "gvisor", "remote", "off"]
"""What may run model-written code."""


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
    def database_path(self) -> Path:
        """The SQLite file."""
        return Path(self.database_url.removeprefix("sqlite:///"))


class Entry(Struct, frozen=True):
    """One variable: its field, its default as it would be written, how it is read, what it means."""

    name: str
    field: str
    default: str
    read: Callable[[str], Any]
    meaning: str
    is_secret: bool = False


def _text(value: str) -> str | None:
    return value or None


def _path(value: str) -> Path | None:
    try:
        return Path(value).expanduser() if value else None
    except RuntimeError:
        raise ValueError("there is no such user's home; write the whole path.") from None


def _whole(least: int, most: int) -> Callable[[str], int | None]:
    def read(value: str) -> int | None:
        if not value:
            return None
        if not (value.isascii() and value.isdecimal()) or len(value) > 12 or not least <= int(value) <= most:
            raise ValueError(f"a whole number from {least} to {most} is needed.")
        return int(value)

    return read


def _seconds(least: float, most: float) -> Callable[[str], float]:
    def read(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            raise ValueError(f"a number of seconds from {least:g} to {most:g} is needed.")
        return number

    return read


def _flag(value: str) -> bool:
    known = {"": False, "0": False, "false": False, "no": False, "off": False}
    known |= {"1": True, "true": True, "yes": True, "on": True}
    if value.lower() not in known:
        raise ValueError("1 or 0 is needed.")
    return known[value.lower()]


def _list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _keys(value: str) -> tuple[str, ...]:
    keys = _list(value)
    if value.strip() and not keys:
        raise ValueError("it is set but holds no key; unset it to accept any key on loopback.")
    if not all(key.isascii() and key.isprintable() and " " not in key for key in keys):
        # Clients disagree about how to write anything else into a header.
        raise ValueError("a key is made of visible ASCII characters.")
    return keys


def _map(value: str) -> dict[str, str]:
    pairs = {}
    for part in _list(value):
        asked, equals, served = (piece.strip() for piece in part.partition("="))
        if not (asked and equals and served):
            raise ValueError(f"{part!r} is not a pair like gpt-4o=qwen3.")
        pairs[asked] = served
    return pairs


def _http_url(value: str) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a base URL such as http://127.0.0.1:11434/v1 is needed.")
    return value.rstrip("/")


def _database_url(value: str) -> str:
    if value and not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise ValueError("sqlite:///path/to/file.db or postgresql://user:password@host/database is needed.")
    if value.startswith("sqlite:///"):
        if not Path(value.removeprefix("sqlite:///")).name:
            raise ValueError("the path of the file is missing after sqlite:///.")
    elif value:
        _refuse_bad_port(value)
    return value


def _blobs_url(value: str) -> str:
    parts = urlsplit(value)
    is_folder = parts.scheme == "file" and not parts.netloc and parts.path.strip("/")
    if value and not (is_folder or (parts.scheme == "s3" and parts.netloc)):
        raise ValueError("file:///path/to/a/folder or s3://bucket/prefix is needed.")
    return value


def _refuse_bad_port(address: str) -> None:
    try:
        # Reading the port is what checks it.
        _ = urlsplit(address).port
    except ValueError:
        raise ValueError("its port is none; whole numbers up to 65535 are.") from None


def _nats_url(value: str) -> str | None:
    if value and not _list(value):
        raise ValueError("it is set but holds no address; unset it for a single node.")
    for one in _list(value):
        _refuse_bad_port(one)
        parts = urlsplit(one)
        if parts.scheme not in ("nats", "tls", "ws", "wss") or not parts.hostname:
            raise ValueError("addresses such as nats://127.0.0.1:4222 are needed, separated by commas.")
    return value or None


def _level(value: str) -> str:
    if value.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("debug, info, warning or error is needed.")
    return value.lower()


def _launchers(value: str) -> Launchers:
    if value not in get_args(Launchers):
        raise ValueError(f"one of {', '.join(get_args(Launchers))} is needed.")
    return cast(Launchers, value)


def _uids(value: str) -> tuple[int, int]:
    first, dash, last = value.partition("-")
    if not (dash and first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 2**32 - 1):
        raise ValueError("numbers of users such as 65200-65455 are needed.")
    return int(first), int(last)


def _sandbox_url(value: str) -> str | None:
    if value:
        _refuse_bad_port(value)
        parts = urlsplit(value)
        if parts.scheme != "tls" or not parts.hostname or parts.port is None:
            raise ValueError("an address such as tls://sandbox.example.org:8443 is needed.")
    return value or None


ENTRIES: tuple[Entry, ...] = (
    Entry("RUNSTEAD_DATA_DIR", "data_dir", "", _path, "where everything is kept; the user's data folder by default"),
    Entry(
        "RUNSTEAD_DATABASE_URL",
        "database_url",
        "",
        _database_url,
        "sqlite:///PATH, in the data folder by default; or postgresql://USER:PASSWORD@HOST/DATABASE",
        is_secret=True,
    ),
    Entry(
        "RUNSTEAD_DATABASE_CONNECTIONS",
        "database_connections",
        "4",
        _whole(1, 100),
        "connections to PostgreSQL that read; writing takes two more",
    ),
    Entry(
        "RUNSTEAD_DATABASE_WAIT",
        "database_wait",
        "30",
        _seconds(0, 3_600),
        "seconds that a start waits for PostgreSQL to answer",
    ),
    Entry(
        "RUNSTEAD_BLOBS_URL",
        "blobs_url",
        "",
        _blobs_url,
        "file:///FOLDER for the contents of files, in the data folder by default; or s3://BUCKET/PREFIX",
    ),
    Entry(
        "RUNSTEAD_NATS_URL",
        "nats_url",
        "",
        _nats_url,
        "addresses of NATS, which several nodes on one PostgreSQL need; none: one node",
        is_secret=True,
    ),
    Entry("RUNSTEAD_NATS_CREDENTIALS", "nats_credentials", "", _path, "a file of credentials for NATS"),
    Entry("RUNSTEAD_NATS_CA", "nats_ca", "", _path, "a file with the CA of NATS; nothing is said unencrypted then"),
    Entry("RUNSTEAD_NATS_CERTIFICATE", "nats_certificate", "", _path, "a file with this node's certificate for NATS"),
    Entry("RUNSTEAD_NATS_CERTIFICATE_KEY", "nats_certificate_key", "", _path, "a file with the key to that"),
    Entry("RUNSTEAD_NATS_REPLICAS", "nats_replicas", "1", _whole(1, 5), "copies NATS keeps of offers and events"),
    Entry(
        "RUNSTEAD_NATS_MAX_BYTES",
        "nats_max_bytes",
        "1073741824",
        _whole(2**20, 10**12 - 1),
        "bytes of events that NATS keeps for readers who come back",
    ),
    Entry("RUNSTEAD_MODEL_URL", "model_url", "", _http_url, "a chat-completions base URL ending in /v1; else embedded"),
    Entry("RUNSTEAD_MODEL_KEY", "model_key", "", _text, "the key for that server", is_secret=True),
    Entry("RUNSTEAD_MODEL_MAP", "model_map", "", _map, "names clients use to the server's: gpt-4o=qwen3,*=llama3"),
    Entry("RUNSTEAD_MODEL_WINDOW", "model_window", "", _whole(512, 10**8), "tokens of the model's window"),
    Entry("RUNSTEAD_MODEL_CA", "model_ca", "", _path, "a file with the CA of the model's server"),
    Entry(
        "RUNSTEAD_MODEL_IDLE_LIMIT",
        "model_idle_limit",
        "120",
        _seconds(0.1, 86_400),
        "seconds of silence after which a model call has failed",
    ),
    Entry(
        "RUNSTEAD_API_KEYS", "api_keys", "", _keys, "comma-separated keys; none: any key, on loopback", is_secret=True
    ),
    Entry(
        "RUNSTEAD_CORS_ORIGINS", "cors_origins", "", _list, "comma-separated origins of browser apps; off by default"
    ),
    Entry(
        "RUNSTEAD_RUN_EXPIRES_AFTER",
        "run_expires_after",
        "600",
        _whole(1, 10**8),
        "seconds from a run's creation to its deadline",
    ),
    Entry("RUNSTEAD_MAX_MODEL_CALLS", "max_model_calls", "64", _whole(1, 10_000), "model calls one run may make"),
    Entry("RUNSTEAD_MAX_RUNS", "max_runs", "1000", _whole(1, 1_000_000), "runs this node executes at once"),
    Entry("RUNSTEAD_LEASE_FOR", "lease_for", "6", _seconds(0.3, 3_600), "seconds a worker holds a run unrenewed"),
    Entry("RUNSTEAD_DRAIN_FOR", "drain_for", "15", _seconds(0, 3_600), "seconds a stop may take"),
    Entry("RUNSTEAD_MAX_BODY", "max_body", "33554432", _whole(1_024, 2**31), "bytes a JSON body may have"),
    Entry("RUNSTEAD_MAX_UPLOAD", "max_upload", "536870912", _whole(1_024, 2**40), "bytes an uploaded file may have"),
    Entry("RUNSTEAD_REQUIRE_BETA_HEADER", "requires_beta", "", _flag, "1: refuse requests without OpenAI-Beta"),
    Entry("RUNSTEAD_CODE_TIMEOUT", "code_timeout", "60", _seconds(0.1, 3_600), "seconds one call of code may take"),
    Entry("RUNSTEAD_SANDBOX", "sandbox", "auto", _launchers, "what runs code: auto, bubblewrap, gvisor, remote, off"),
    Entry("RUNSTEAD_SANDBOX_PYTHON", "sandbox_python", "", _text, "the Python that code runs in; the server's own"),
    Entry("RUNSTEAD_SANDBOX_REQUIREMENTS", "sandbox_requirements", "", _path, "more packages, as pip reads them"),
    Entry("RUNSTEAD_SANDBOX_MEMORY", "sandbox_memory", "1024", _whole(128, 10**6), "MiB of memory of a session"),
    Entry("RUNSTEAD_SANDBOX_DISK", "sandbox_disk", "512", _whole(1, 10**6), "MiB of /mnt/data"),
    Entry("RUNSTEAD_SANDBOX_PROCESSES", "sandbox_processes", "64", _whole(8, 10_000), "processes of a session"),
    Entry("RUNSTEAD_SANDBOX_OUTPUT", "sandbox_output", "100000", _whole(1_000, 10**7), "bytes kept of a call's output"),
    Entry("RUNSTEAD_SANDBOX_FILES", "sandbox_files", "100", _whole(0, 10_000), "files a call may give back"),
    Entry("RUNSTEAD_SANDBOX_IMAGES", "sandbox_images", "20", _whole(0, 1_000), "images a call may show"),
    Entry("RUNSTEAD_SANDBOX_IDLE", "sandbox_idle", "1200", _seconds(1, 10**6), "seconds a session is kept unused"),
    Entry("RUNSTEAD_SANDBOX_LIFETIME", "sandbox_lifetime", "3600", _seconds(1, 10**6), "seconds a session lives"),
    Entry("RUNSTEAD_SANDBOX_SESSIONS", "sandbox_sessions", "0", _whole(0, 10_000), "sessions at once; 0: what fits"),
    Entry("RUNSTEAD_SANDBOX_WARM", "sandbox_warm", "2", _whole(0, 100), "sessions kept ready with their imports done"),
    Entry("RUNSTEAD_SANDBOX_STRICT", "sandbox_strict", "", _flag, "1: refuse a sandbox without limits by cgroup"),
    Entry("RUNSTEAD_SANDBOX_UIDS", "sandbox_uids", "65200-65455", _uids, "users that sessions run as when we are root"),
    Entry("RUNSTEAD_SANDBOX_CGROUP", "sandbox_cgroup", "", _path, "a delegated cgroup (v2) for sessions"),
    Entry("RUNSTEAD_SANDBOX_RUNSC", "sandbox_runsc", "", _text, "gVisor's program, if it is not in the usual places"),
    Entry("RUNSTEAD_SANDBOX_URL", "sandbox_url", "", _sandbox_url, "tls://HOST:PORT of `runstead sandbox serve`"),
    Entry("RUNSTEAD_SANDBOX_SECRET", "sandbox_secret", "", _text, "what both sides of that share", is_secret=True),
    Entry("RUNSTEAD_SANDBOX_CA", "sandbox_ca", "", _path, "a file with the CA of that server"),
    Entry("RUNSTEAD_LOG_LEVEL", "log_level", "info", _level, "debug, info, warning or error"),
)


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
