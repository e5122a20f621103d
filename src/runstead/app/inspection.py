"""Looks at what a node would stand on, and copies of it, without serving it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from runstead.app.extras import extra
from runstead.app.ground import bus_of
from runstead.app.searching import INDEX
from runstead.blobs.opening import folder_of, inspect_contents
from runstead.search.inspection import Embedded, embedded_in_file
from runstead.settings import Settings
from runstead.store.inspection import DatabaseState, inspect_file

if TYPE_CHECKING:
    from runstead.bus.nats_inspection import BusState
    from runstead.store.postgres_inspection import ServerState


def inspect_store(path: Path) -> DatabaseState:
    """What a database file holds and who serves it. Raises UnusableDatabase."""
    return inspect_file(path)


def copy_store(source: Path, target: Path) -> int:
    """Copy a database file that may be in use; its schema's version. Raises UnusableDatabase or OSError."""
    from runstead.store.sqlite_backup import copy_database

    return copy_database(source, target)


def copy_blobs(settings: Settings, target: Path) -> int:
    """Copy the contents of files, if a folder of this machine keeps them; how many there are. Raises OSError."""
    from runstead.blobs.copying import copy_folder

    source = folder_of(settings.blobs_url)
    return copy_folder(source, target) if source is not None and source.is_dir() else 0


async def inspect_blobs(settings: Settings) -> str:
    """Where the contents of files lie, in a few words; a bucket is asked. Raises UnusableContents."""
    return await inspect_contents(settings.blobs_url)


def copy_index(settings: Settings, target: Path) -> None:
    """Copy the index of what files say, if it is a file of this machine. Raises UnusableDatabase or OSError."""
    from runstead.store.sqlite_backup import copy_file

    source = settings.data_dir / INDEX
    if source.exists():
        copy_file(source, target / INDEX)


async def inspect_server(settings: Settings) -> "ServerState":
    """What the PostgreSQL database holds, changing nothing. Raises UnusableDatabase or Missing."""
    with extra("cluster"):
        from runstead.store import postgres_inspection

    return await postgres_inspection.inspect_server(settings.database_url)


async def inspect_bus(settings: Settings) -> "BusState":
    """What NATS has of ours, changing nothing. Raises UnusableBus or Missing."""
    with extra("cluster"):
        from runstead.bus import nats_inspection

    return await nats_inspection.inspect(*bus_of(settings))


async def inspect_index(settings: Settings) -> Embedded | None:
    """How many files the search index holds of each embedding, None if there is none yet. Raises Unavailable or Missing."""
    if settings.is_postgres:
        with extra("cluster"):
            from runstead.search.postgres_inspection import embedded_in_server

        return await embedded_in_server(settings.database_url)
    return await asyncio.to_thread(embedded_in_file, settings.data_dir / INDEX)
