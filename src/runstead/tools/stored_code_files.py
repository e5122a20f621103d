"""CodeFiles over rows and blobs: what code reads was uploaded or made before, what it makes becomes a file."""

import secrets
from collections.abc import AsyncIterator, Sequence

from runstead import filing
from runstead.domain import ids
from runstead.domain.errors import NoFile, ToolFailed
from runstead.journal import Journal
from runstead.ports import Blobs, Clock, CodeFile, NoContents, Store
from runstead.wire.base import FileId
from runstead.wire.files import File


class StoredCodeFiles:
    """See ports.CodeFiles."""

    def __init__(self, store: Store, blobs: Blobs, journal: Journal, clock: Clock) -> None:
        self._store = store
        self._blobs = blobs
        self._journal = journal
        self._clock = clock

    async def open(self, file_ids: Sequence[str]) -> list[CodeFile]:
        """See the port."""
        found: list[CodeFile] = []
        for id in file_ids:
            try:
                file = await self._store.get_file(FileId(id))
            except NoFile:
                continue
            if file.expires_at is None or file.expires_at > self._clock.now():
                found.append(self._opened(file))
        return found

    def _opened(self, file: File) -> CodeFile:
        async def read() -> AsyncIterator[bytes]:
            try:
                pieces = await self._blobs.get(file.id)
            except NoContents:
                words = f"The contents of {file.filename} ({file.id}) are not where this server keeps files."
                raise ToolFailed(words) from None
            async for piece in pieces:
                yield piece

        return CodeFile(file.filename, file.id, file.bytes, read)

    async def keep(self, file: CodeFile) -> str:
        """See the port."""
        id = FileId(ids.spell("file-", secrets.token_bytes(ids.ENTROPY_BYTES)))
        # Contents before the row, as for every file: no row is ever without its bytes.
        length = await self._blobs.put(id, file.read())
        name = file.name.rpartition("/")[2]
        row = File(id=id, bytes=length, created_at=int(self._clock.now()), filename=name, purpose="assistants_output")
        await self._journal.commit(filing.kept(row))
        return id
