"""Vector stores from the command line: `runstead files add` fills them and `runstead search` looks into them."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

import click
from msgspec import Struct

from runstead.client import Client, Json, ServerRefused
from runstead.domain.errors import RunsteadError

LOOKS_EVERY = 0.25
"""Seconds between looks at files that are being read."""
IN_HAND = 8
"""Files looked at each time: they are read in the order in which they came."""
LONGEST_NAME = 256


class NoSuchStore(RunsteadError):
    """A name or an id that leads to no store, or to several."""


class Added(Struct, frozen=True):
    """What came of adding files: the store, how many can be found now, and why others cannot, by path."""

    store: Json
    completed: int
    failures: dict[str, str]


class Source(Struct, frozen=True):
    """A file to be added, under the name that the server is told."""

    path: Path
    size: int


def sources(paths: Iterable[Path]) -> list[Source]:
    """The files, and those in folders; what begins with a dot is left out there. Raises OSError."""
    return [Source(path, path.stat().st_size) for given in paths for path in _files(given)]


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for below in sorted(path.iterdir()):
        if not below.name.startswith(".") and (below.is_dir() or below.is_file()):
            yield from _files(below)


def add(files: Sequence[Source], store: str, *, server: str, key: str) -> Added:
    """Upload files, put them into the store of that name or id, and wait until they are read.

    Raises NoSuchStore, NoServer, or ServerRefused if that is not one file's affair.
    """
    return asyncio.run(_add(files, store, server, key))


async def _add(files: Sequence[Source], name: str, server: str, key: str) -> Added:
    async with Client.connected(server, key) as client:
        found = await _find(client, name)
        store = found if found is not None else await _make(client, name)
        failures: dict[str, str] = {}
        waiting = await _upload(client, store, files, failures)
        completed = await _wait(client, store, waiting, failures)
        # In the order of the files, whichever of them failed first.
        paths = [str(file.path) for file in files]
        return Added(store, completed, {path: failures[path] for path in paths if path in failures})


async def _upload(client: Client, store: Json, files: Sequence[Source], failures: dict[str, str]) -> dict[str, Path]:
    """The ids of the files that the store has taken, with their paths. What is refused is a failure."""
    taken: dict[str, Path] = {}
    with click.progressbar(length=sum(file.size for file in files), label="Uploading") as bar:
        for file in files:
            try:
                uploaded = await client.upload(file.path, file.path.name, bar.update)
                await client.post(f"/vector_stores/{store['id']}/files", {"file_id": uploaded["id"]})
            except (ServerRefused, OSError) as refusal:
                failures[str(file.path)] = str(refusal)
            else:
                taken[uploaded["id"]] = file.path
    return taken


async def _wait(client: Client, store: Json, waiting: dict[str, Path], failures: dict[str, str]) -> int:
    """How many came to be searchable."""
    completed = 0
    with click.progressbar(length=len(waiting), label="Reading", show_pos=True) as bar:
        while waiting:
            for id in list(waiting)[:IN_HAND]:
                file = await client.get(f"/vector_stores/{store['id']}/files/{id}")
                if file["status"] == "in_progress":
                    continue
                path = waiting.pop(id)
                bar.update(1)
                if file["status"] == "completed":
                    completed += 1
                else:
                    failures[str(path)] = (file["last_error"] or {}).get("message") or f"It was {file['status']}."
            if waiting:
                await asyncio.sleep(LOOKS_EVERY)
    return completed


def search(store: str, query: str, *, most: int, server: str, key: str) -> list[Json]:
    """What a store has to say to a query, best first. Raises NoSuchStore, ServerRefused or NoServer."""
    return asyncio.run(_search(store, query, most, server, key))


async def _search(name: str, query: str, most: int, server: str, key: str) -> list[Json]:
    async with Client.connected(server, key) as client:
        store = await _find(client, name)
        if store is None:
            raise NoSuchStore(f"There is no vector store with the name or id {name!r}.")
        answer = await client.post(f"/vector_stores/{store['id']}/search", {"query": query, "max_num_results": most})
        return list(answer["data"])


async def _find(client: Client, name: str) -> Json | None:
    """The store of that id, or else of that name."""
    named = []
    async with aclosing(client.items("/vector_stores")) as stores:  # type: ignore[type-var]
        async for store in stores:
            if store["id"] == name:
                return store
            if store["name"] == name and store["status"] != "expired":
                named.append(store)
    if len(named) > 1:
        ids = ", ".join(store["id"] for store in named[:5])
        raise NoSuchStore(f"{len(named)} vector stores are called {name!r}; say which by its id: {ids}.")
    return named[0] if named else None


async def _make(client: Client, name: str) -> Json:
    if name.startswith("vs_"):
        raise NoSuchStore(f"There is no vector store with the id {name!r}.")
    return await client.post("/vector_stores", {"name": name})
