"""A file whose time is over, in the moments before somebody removes it."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from obstore.store import MemoryStore

from runstead import filing
from runstead.blobs.contents import StoredContents
from runstead.domain.errors import NoFile
from runstead.http import files
from runstead.http.api import Api, Call
from runstead.http.queries import NO_QUERY
from runstead.ports import Store
from tests.contract.file_samples import a_file
from tests.contract.samples import NOW


@pytest.mark.parametrize("handler", [files.get_file, files.get_file_content, files.delete_file])
async def test_it_is_answered_as_if_it_were_gone(store: Store, handler: Any) -> None:
    file = a_file(expires_at=NOW + 10, bytes=0)
    await store.commit(filing.kept(file))
    call = Call(version="v2", path={"file_id": file.id}, query=NO_QUERY, body=None)

    def at(now: int) -> Api:
        return cast(Api, SimpleNamespace(store=store, blobs=StoredContents(MemoryStore()), now=lambda: now))

    with pytest.raises(NoFile):
        await handler(at(NOW + 10), call)
    if handler is files.get_file:
        assert await handler(at(NOW + 9), call) == file
