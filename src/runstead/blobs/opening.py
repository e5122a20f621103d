"""From a URL to contents: a folder of this machine, or a bucket."""

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import S3Store

from runstead.blobs.contents import TROUBLE, StoredContents
from runstead.blobs.local_disk import LocalContents
from runstead.domain.errors import RunsteadError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

# A store that does not answer costs an upload a few seconds and not minutes. An endpoint without TLS is somebody's own.
_RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=15)}
_CLIENT: "ClientConfig" = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "1h", "allow_http": True}


class UnusableContents(RunsteadError):
    """File contents cannot be kept there. It ends the start."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"RUNSTEAD_BLOBS_URL: {where} cannot be used: {reason}.")


def folder_of(url: str) -> Path | None:
    """The folder of this machine that a URL means, if it means one."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


async def open_contents(url: str, name: str) -> StoredContents:
    """Contents under `name` in the place that a URL means; asked once, so that what is wrong is known at the start.

    Keys, region and endpoint of a bucket are taken from the usual AWS_ variables. Raises UnusableContents.
    """
    if (folder := folder_of(url)) is not None:
        try:
            return LocalContents.open(folder / name)
        except OSError as error:
            raise UnusableContents(str(folder / name), error.strerror or str(error)) from error
    return StoredContents(await _open_bucket(url, name))


async def inspect_contents(url: str) -> str:
    """What a URL means, in a few words; nothing is made. Raises UnusableContents."""
    if (folder := folder_of(url)) is None:
        await _open_bucket(url, "")
        return f"{url} answers"
    return _folder_s_words(folder)


def _folder_s_words(folder: Path) -> str:
    nearest = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise UnusableContents(str(folder), "it cannot be written")
    return f"in {folder}" if nearest == folder else f"in {folder}, made when the server starts"


async def _open_bucket(url: str, name: str) -> S3Store:
    parts = urlsplit(url)
    try:
        store = S3Store(
            parts.netloc,
            prefix="/".join(part for part in (parts.path.strip("/"), name) if part),
            client_options=_CLIENT,
            retry_config=_RETRIES,
        )
        async for _ in obstore.list(store, chunk_size=1):
            break
    except TROUBLE as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        where = f"s3://{parts.netloc}{parts.path}"
        raise UnusableContents(where, f"{reason}; check bucket, AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL") from error
    return store
