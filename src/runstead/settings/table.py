"""Every variable on one page: its name, default and meaning."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from runstead.settings import values


class Entry(Struct, frozen=True):
    """One variable: its field, its default as it would be written, how it is read, what it means."""

    name: str
    field: str
    default: str
    read: Callable[[str], Any]
    meaning: str
    is_secret: bool = False


ENTRIES: tuple[Entry, ...] = (
    Entry(
        "RUNSTEAD_DATA_DIR", "data_dir", "", values.path, "where everything is kept; the user's data folder by default"
    ),
    Entry(
        "RUNSTEAD_DATABASE_URL",
        "database_url",
        "",
        values.database_url,
        "sqlite:///PATH, in the data folder by default; or postgresql://USER:PASSWORD@HOST/DATABASE",
        is_secret=True,
    ),
    Entry(
        "RUNSTEAD_DATABASE_CONNECTIONS",
        "database_connections",
        "4",
        values.whole(1, 100),
        "connections to PostgreSQL that read; writing takes two more",
    ),
    Entry(
        "RUNSTEAD_DATABASE_WAIT",
        "database_wait",
        "30",
        values.seconds(0, 3_600),
        "seconds that a start waits for PostgreSQL to answer",
    ),
    Entry(
        "RUNSTEAD_BLOBS_URL",
        "blobs_url",
        "",
        values.blobs_url,
        "file:///FOLDER for the contents of files, in the data folder by default; or s3://BUCKET/PREFIX",
    ),
    Entry(
        "RUNSTEAD_NATS_URL",
        "nats_url",
        "",
        values.nats_url,
        "addresses of NATS, which several nodes on one PostgreSQL need; none: one node",
        is_secret=True,
    ),
    Entry("RUNSTEAD_NATS_CREDENTIALS", "nats_credentials", "", values.path, "a file of credentials for NATS"),
    Entry(
        "RUNSTEAD_NATS_CA", "nats_ca", "", values.path, "a file with the CA of NATS; nothing is said unencrypted then"
    ),
    Entry(
        "RUNSTEAD_NATS_CERTIFICATE", "nats_certificate", "", values.path, "a file with this node's certificate for NATS"
    ),
    Entry("RUNSTEAD_NATS_CERTIFICATE_KEY", "nats_certificate_key", "", values.path, "a file with the key to that"),
    Entry("RUNSTEAD_NATS_REPLICAS", "nats_replicas", "1", values.whole(1, 5), "copies NATS keeps of offers and events"),
    Entry(
        "RUNSTEAD_NATS_MAX_BYTES",
        "nats_max_bytes",
        "1073741824",
        values.whole(2**20, 10**12 - 1),
        "bytes of events that NATS keeps for readers who come back",
    ),
    Entry(
        "RUNSTEAD_MODEL_URL",
        "model_url",
        "",
        values.http_url,
        "a chat-completions base URL ending in /v1; else embedded",
    ),
    Entry("RUNSTEAD_MODEL_KEY", "model_key", "", values.text, "the key for that server", is_secret=True),
    Entry(
        "RUNSTEAD_MODEL_MAP",
        "model_map",
        "",
        values.mapping,
        "names clients use to the server's: gpt-4o=qwen3,*=llama3",
    ),
    Entry("RUNSTEAD_MODEL_WINDOW", "model_window", "", values.whole(512, 10**8), "tokens of the model's window"),
    Entry("RUNSTEAD_MODEL_CA", "model_ca", "", values.path, "a file with the CA of the model's server"),
    Entry(
        "RUNSTEAD_MODEL_IDLE_LIMIT",
        "model_idle_limit",
        "120",
        values.seconds(0.1, 86_400),
        "seconds of silence after which a model call has failed",
    ),
    Entry(
        "RUNSTEAD_EMBEDDINGS_URL",
        "embeddings_url",
        "",
        values.http_url,
        "a base URL ending in /v1 of a server that makes vectors of texts; else embedded",
    ),
    Entry("RUNSTEAD_EMBEDDINGS_KEY", "embeddings_key", "", values.text, "the key for that server", is_secret=True),
    Entry("RUNSTEAD_EMBEDDINGS_MODEL", "embeddings_model", "", values.text, "the name of its model"),
    Entry(
        "RUNSTEAD_EMBEDDINGS_WINDOW",
        "embeddings_window",
        "512",
        values.whole(32, 1_000_000),
        "tokens its model reads at once; longer texts get several vectors",
    ),
    Entry("RUNSTEAD_RERANKER_URL", "reranker_url", "", values.http_url, "a base URL with /rerank; none: no reranking"),
    Entry("RUNSTEAD_RERANKER_KEY", "reranker_key", "", values.text, "the key for that server", is_secret=True),
    Entry("RUNSTEAD_RERANKER_MODEL", "reranker_model", "", values.text, "the name of its model, if it wants one"),
    Entry(
        "RUNSTEAD_REWRITE_MODEL", "rewrite_model", "", values.text, "a model for `rewrite_query`; none: not rewritten"
    ),
    Entry(
        "RUNSTEAD_SEARCH_MEMORY",
        "search_memory",
        "512",
        values.whole(1, 1_000_000),
        "MiB of vectors kept in memory for searching",
    ),
    Entry(
        "RUNSTEAD_API_KEYS",
        "api_keys",
        "",
        values.keys,
        "comma-separated keys; none: any key, on loopback",
        is_secret=True,
    ),
    Entry(
        "RUNSTEAD_CORS_ORIGINS",
        "cors_origins",
        "",
        values.listed,
        "comma-separated origins of browser apps; off by default",
    ),
    Entry(
        "RUNSTEAD_RUN_EXPIRES_AFTER",
        "run_expires_after",
        "600",
        values.whole(1, 10**8),
        "seconds from a run's creation to its deadline",
    ),
    Entry("RUNSTEAD_MAX_MODEL_CALLS", "max_model_calls", "64", values.whole(1, 10_000), "model calls one run may make"),
    Entry("RUNSTEAD_MAX_RUNS", "max_runs", "1000", values.whole(1, 1_000_000), "runs this node executes at once"),
    Entry("RUNSTEAD_LEASE_FOR", "lease_for", "6", values.seconds(0.3, 3_600), "seconds a worker holds a run unrenewed"),
    Entry("RUNSTEAD_DRAIN_FOR", "drain_for", "15", values.seconds(0, 3_600), "seconds a stop may take"),
    Entry("RUNSTEAD_MAX_BODY", "max_body", "33554432", values.whole(1_024, 2**31), "bytes a JSON body may have"),
    Entry(
        "RUNSTEAD_MAX_UPLOAD", "max_upload", "536870912", values.whole(1_024, 2**40), "bytes an uploaded file may have"
    ),
    Entry("RUNSTEAD_REQUIRE_BETA_HEADER", "requires_beta", "", values.flag, "1: refuse requests without OpenAI-Beta"),
    Entry(
        "RUNSTEAD_CODE_TIMEOUT", "code_timeout", "60", values.seconds(0.1, 3_600), "seconds one call of code may take"
    ),
    Entry(
        "RUNSTEAD_SANDBOX", "sandbox", "auto", values.launchers, "what runs code: auto, bubblewrap, gvisor, remote, off"
    ),
    Entry(
        "RUNSTEAD_SANDBOX_PYTHON", "sandbox_python", "", values.text, "the Python that code runs in; the server's own"
    ),
    Entry("RUNSTEAD_SANDBOX_REQUIREMENTS", "sandbox_requirements", "", values.path, "more packages, as pip reads them"),
    Entry("RUNSTEAD_SANDBOX_MEMORY", "sandbox_memory", "1024", values.whole(128, 10**6), "MiB of memory of a session"),
    Entry("RUNSTEAD_SANDBOX_DISK", "sandbox_disk", "512", values.whole(1, 10**6), "MiB of /mnt/data"),
    Entry("RUNSTEAD_SANDBOX_PROCESSES", "sandbox_processes", "64", values.whole(8, 10_000), "processes of a session"),
    Entry(
        "RUNSTEAD_SANDBOX_OUTPUT",
        "sandbox_output",
        "100000",
        values.whole(1_000, 10**7),
        "bytes kept of a call's output",
    ),
    Entry("RUNSTEAD_SANDBOX_FILES", "sandbox_files", "100", values.whole(0, 10_000), "files a call may give back"),
    Entry("RUNSTEAD_SANDBOX_IMAGES", "sandbox_images", "20", values.whole(0, 1_000), "images a call may show"),
    Entry(
        "RUNSTEAD_SANDBOX_IDLE", "sandbox_idle", "1200", values.seconds(1, 10**6), "seconds a session is kept unused"
    ),
    Entry("RUNSTEAD_SANDBOX_LIFETIME", "sandbox_lifetime", "3600", values.seconds(1, 10**6), "seconds a session lives"),
    Entry(
        "RUNSTEAD_SANDBOX_SESSIONS", "sandbox_sessions", "0", values.whole(0, 10_000), "sessions at once; 0: what fits"
    ),
    Entry(
        "RUNSTEAD_SANDBOX_WARM",
        "sandbox_warm",
        "2",
        values.whole(0, 100),
        "sessions kept ready with their imports done",
    ),
    Entry("RUNSTEAD_SANDBOX_STRICT", "sandbox_strict", "", values.flag, "1: refuse a sandbox without limits by cgroup"),
    Entry(
        "RUNSTEAD_SANDBOX_UIDS",
        "sandbox_uids",
        "65200-65455",
        values.uids,
        "users that sessions run as when we are root",
    ),
    Entry("RUNSTEAD_SANDBOX_CGROUP", "sandbox_cgroup", "", values.path, "a delegated cgroup (v2) for sessions"),
    Entry(
        "RUNSTEAD_SANDBOX_RUNSC", "sandbox_runsc", "", values.text, "gVisor's program, if it is not in the usual places"
    ),
    Entry("RUNSTEAD_SANDBOX_URL", "sandbox_url", "", values.sandbox_url, "tls://HOST:PORT of `runstead sandbox serve`"),
    Entry(
        "RUNSTEAD_SANDBOX_SECRET", "sandbox_secret", "", values.text, "what both sides of that share", is_secret=True
    ),
    Entry("RUNSTEAD_SANDBOX_CA", "sandbox_ca", "", values.path, "a file with the CA of that server"),
    Entry("RUNSTEAD_LOG_LEVEL", "log_level", "info", values.level, "debug, info, warning or error"),
)
