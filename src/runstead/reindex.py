"""`runstead reindex`: files whose vectors another model made, or that the index has lost, are read again.

What is done stays done, so it may be interrupted and started again.
"""

import asyncio

import click
from msgspec import Struct

from runstead.app import reindexing
from runstead.settings import Settings


class Reindexed(Struct, frozen=True):
    """What came of it: files that were read again, and why others could not be, by store and file."""

    done: int
    failures: dict[str, str]


def reindex(settings: Settings) -> Reindexed:
    """Read what is outdated again, with a progress bar. Raises UnusableDatabase, EmbeddingFailed or Unavailable."""
    return asyncio.run(_reindex(settings))


async def _reindex(settings: Settings) -> Reindexed:
    failures = {}
    async with reindexing.means_of(settings) as means:
        todo = await reindexing.outdated(means)
        with click.progressbar(todo, label="Reading files again", show_pos=True) as shown:
            for one in shown:
                reason = await reindexing.renew(means, one)
                if reason is not None:
                    failures[f"{one.store_id} {one.file_id}"] = reason
    return Reindexed(len(todo) - len(failures), failures)
