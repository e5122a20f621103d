"""What `runstead doctor` looks at: it changes nothing and starts nothing but, for a moment, the embedded model."""

import asyncio
import os
import shutil
from collections.abc import Coroutine, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct

from runstead import app, settings
from runstead.domain.errors import EmbeddingFailed, ModelFailed, RunsteadError
from runstead.logs import without_credentials
from runstead.ports import SandboxUnavailable
from runstead.settings import Settings

ENOUGH_DISK = 256 * 2**20
"""Bytes below which a database that grows is about to be in trouble."""
ALIKE = 0.8
"""How much of a name has to be that of a setting to be taken for a slip of the pen; with many settings, less meets anything."""
MODEL_PATIENCE = 60.0
"""Seconds a model may take to answer; an embedded one is loaded first."""


class Finding(Struct, frozen=True):
    """One line: what was looked at, what was found, and what to do if that is bad."""

    subject: str
    words: str
    remedy: str | None = None
    is_warning: bool = False

    @property
    def is_ok(self) -> bool:
        """Whether nothing has to be done; what is only warned of may be as it should be."""
        return self.remedy is None or self.is_warning

    @property
    def mark(self) -> str:
        """The finding in a word."""
        return "warn" if self.is_warning else "ok" if self.is_ok else "fail"


def examine(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Everything, one finding at a time; without readable settings nothing else can be looked at."""
    try:
        chosen = settings.load(environment)
    except settings.BadSetting as error:
        yield Finding("settings", str(error), "Correct or unset it.")
        return
    yield from _misspelt(environment)
    yield _keys(chosen)
    yield _folder("data folder", chosen.data_dir)
    if chosen.is_postgres:
        yield _asked("store", _store_server(chosen), "Correct RUNSTEAD_DATABASE_URL, or start that server.")
    else:
        if chosen.database_path.parent != chosen.data_dir:
            yield _folder("store folder", chosen.database_path.parent)
        yield _disk(chosen.database_path)
        yield _store(chosen.database_path)
    if chosen.nats_url is not None:
        yield _asked("bus", _bus(chosen), "Correct the RUNSTEAD_NATS_ settings, or that server.")
    yield _asked("files", _contents(chosen), "Correct RUNSTEAD_BLOBS_URL or the AWS_ variables, or that server.")
    yield _model(chosen)
    yield _search(chosen)
    yield _asked(
        "index", _index(chosen), "Look at the server's log; what the index lacks is read again from the files."
    )
    yield _sandbox(chosen)


def shown_settings(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Every setting as a name and what it is set to, secrets hidden."""
    for entry in settings.ENTRIES:
        text = environment.get(entry.name, "").strip()
        if text:
            yield entry.name, "(hidden)" if entry.is_secret else without_credentials(text)
        else:
            yield entry.name, f"{entry.default} (default)" if entry.default else "(not set)"


def _misspelt(environment: Mapping[str, str]) -> Iterator[Finding]:
    prefix = "RUNSTEAD_"
    known = [entry.name.removeprefix(prefix) for entry in settings.ENTRIES]
    others = []
    for name in settings.unknown(environment):
        meant = get_close_matches(name.removeprefix(prefix), known, n=1, cutoff=ALIKE)
        if meant:
            yield Finding(
                "settings", f"{name} is not a setting and is ignored", f"Use {prefix}{meant[0]}, or unset it."
            )
        else:
            others.append(name)
    words = f"{len(known)} read"
    # Not like any of ours: somebody's own variable, most likely.
    yield Finding("settings", f"{words}; not ours and ignored: {', '.join(others)}" if others else words)


def _keys(chosen: Settings) -> Finding:
    count = len(chosen.api_keys)
    if count:
        return Finding("keys", f"{count} accepted")
    return Finding("keys", "none asked for; only this machine is served (RUNSTEAD_API_KEYS changes both)")


def _folder(subject: str, folder: Path) -> Finding:
    existing = _nearest(folder)
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        remedy = "Give it to the user that serves, or set RUNSTEAD_DATA_DIR to another folder."
        return Finding(subject, f"{folder} cannot be written", remedy)
    return Finding(subject, str(folder) if folder.exists() else f"{folder}, made when the server starts")


def _disk(path: Path) -> Finding:
    free = shutil.disk_usage(_nearest(path)).free
    words = f"{free / 2**30:.1f} GiB free"
    return Finding("disk", words, None if free >= ENOUGH_DISK else "Free some, or move RUNSTEAD_DATA_DIR elsewhere.")


def _nearest(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if _exists(each))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        # A name that no file system takes.
        return False


def _store(path: Path) -> Finding:
    if not path.exists():
        return Finding("store", f"{path} is made when the server starts")
    try:
        state = app.inspect_store(path)
    except RunsteadError as error:
        return Finding(
            "store",
            str(error).rstrip("."),
            "Make it readable, restore a backup, or set RUNSTEAD_DATABASE_URL to another file.",
        )
    found = _schema(path, "", state.version, state.known, may_serve=state.may_serve)
    if state.holder is None or not found.is_ok:
        return found
    return Finding("store", f"{found.words}, served by process {state.holder}")


def _schema(where: object, release: str, version: int, known: int, *, may_serve: bool) -> Finding:
    if not may_serve:
        remedy = "Start the newer release again, or restore a backup from before it was installed."
        return Finding("store", f"{where} has schema {version}, and this release knows up to {known}", remedy)
    words = f"{where}, {release}" + (f"schema {version}" if version else "no schema")
    if version < known:
        words += f", brought to {known} when the server starts"
    elif version > known:
        words += f", of a later release; this one knows {known} and may serve it"
    return Finding("store", words)


async def _store_server(chosen: Settings) -> Finding:
    state = await app.inspect_server(chosen)
    if state.version < state.known and not state.may_create:
        words = f"{state.where} has schema {state.version} of {state.known}, and its user may not create tables"
        return Finding("store", words, "Give it a schema of its own, or start once as a user who may.")
    link = "by TLS" if state.is_encrypted else "unencrypted"
    release = f"PostgreSQL {state.release} {link}, "
    found = _schema(state.where, release, state.version, state.known, may_serve=state.may_serve)
    if state.has_pgvector or not found.is_ok:
        return found
    words = f"{found.words}; without pgvector, so vectors are compared one by one in the memory of each node"
    return Finding("store", words, "Install the extension pgvector on its machine, and start again.", is_warning=True)


async def _bus(chosen: Settings) -> Finding:
    state = await app.inspect_bus(chosen)
    words = f"NATS {state.release} with JetStream"
    if state.missing:
        words += f", {' and '.join(state.missing)} made when the server starts"
    elif set(state.replicas.values()) != {chosen.nats_replicas}:
        found = ", ".join(f"{name} {count}" for name, count in sorted(state.replicas.items()))
        words += f"; copies kept: {found}, brought to {chosen.nats_replicas} when the server starts"
    return Finding("bus", words)


async def _contents(chosen: Settings) -> Finding:
    words = await app.inspect_blobs(chosen)
    if chosen.hides_files:
        remedy = "Set RUNSTEAD_BLOBS_URL to a bucket, on every node."
        return Finding("files", f"{words}, where nodes on other machines do not see them", remedy, is_warning=True)
    return Finding("files", words)


def _asked(subject: str, look: Coroutine[object, object, Finding], remedy: str) -> Finding:
    try:
        return asyncio.run(look)
    except RunsteadError as error:
        return Finding(subject, str(error).rstrip("."), remedy)


def _model(chosen: Settings) -> Finding:
    missing = app.what_model_is_missing(chosen)
    if missing is not None:
        sentence, _, remedy = missing.partition(". ")
        return Finding("model", sentence, remedy)
    try:
        return Finding("model", asyncio.run(_model_s_words(chosen)))
    except ModelFailed as failure:
        return Finding("model", failure.message.rstrip("."), "Start it, or correct the RUNSTEAD_MODEL_ settings.")
    except TimeoutError:
        return Finding("model", f"no answer within {MODEL_PATIENCE:g} seconds", "Look at the model's server.")


def _search(chosen: Settings) -> Finding:
    missing = app.what_search_is_missing(chosen)
    if missing is not None:
        # Nothing is broken: words are searched without any model.
        return Finding("search", missing.rstrip("."))
    return _asked("search", _embedder(chosen), "Start it, or correct the RUNSTEAD_EMBEDDINGS_ settings.")


async def _embedder(chosen: Settings) -> Finding:
    embedder = app.open_embedder(chosen)
    assert embedder is not None
    try:
        async with asyncio.timeout(MODEL_PATIENCE):
            return Finding("search", await embedder.check())
    except TimeoutError:
        raise EmbeddingFailed(f"no vectors within {MODEL_PATIENCE:g} seconds") from None
    finally:
        await embedder.close()


async def _index(chosen: Settings) -> Finding:
    """Vectors of another model are never compared, so files that have them are found less well."""
    held = await app.inspect_index(chosen)
    if held is None:
        return Finding("index", "made when the server starts")
    count = sum(held.values())
    words = f"{count} files of vector stores"
    embedder = app.open_embedder(chosen)
    if embedder is None:
        return Finding("index", words)
    await embedder.close()
    others = count - held.get(embedder.name, 0)
    if not others:
        return Finding("index", words)
    words += f"; {others} of them without vectors of {embedder.name}, so that they are found by their words alone"
    return Finding("index", words, "Run runstead reindex.", is_warning=True)


async def _model_s_words(chosen: Settings) -> str:
    model = app.open_model(chosen)
    try:
        async with asyncio.timeout(MODEL_PATIENCE):
            return await model.check()
    finally:
        await model.close()


def _sandbox(chosen: Settings) -> Finding:
    if chosen.sandbox == "off":
        return Finding("sandbox", "off, so no run can use code_interpreter")
    try:
        return Finding("sandbox", f"{asyncio.run(app.ask_sandbox(chosen))}; {app.what_code_finds(chosen)}")
    except SandboxUnavailable as reason:
        remedy = "Do what the reasons ask for, set RUNSTEAD_SANDBOX_URL to another machine, or RUNSTEAD_SANDBOX=off."
        return Finding("sandbox", str(reason).rstrip("."), remedy)
