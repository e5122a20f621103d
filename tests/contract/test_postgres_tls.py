"""Links to PostgreSQL that are private and go where they should.

The wheel's server has no TLS, so a listener of the tests' own ends it, as a proxy before a database does.
"""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from runstead.domain.change import InsertThread
from runstead.store.errors import UnreachableDatabase, UnusableDatabase
from runstead.store.postgres import PostgresStore
from runstead.store.postgres_connections import Limits
from tests.contract.postgres_server import PostgresServer
from tests.contract.samples import a_thread, change

SSL_REQUEST = struct.pack("!II", 8, 80877103)
QUICK = Limits(connect=5.0, patience=0.5)


class Private:
    """A TLS endpoint before a PostgreSQL server, which counts who came through."""

    def __init__(self, folder: Path, behind: PostgresServer) -> None:
        authority, other = trustme.CA(), trustme.CA()
        self.ca, self.other_ca = folder / "ca.pem", folder / "other-ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        other.cert_pem.write_to_path(self.other_ca)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._context)
        self._behind = behind
        self.port = 0
        self.encrypted = 0
        self.offers_tls = True

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Private"]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    def url(self, host: str, query: str) -> str:
        return f"postgresql://postgres:secret@{host}:{self.port}/runstead?{query}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await reader.readexactly(8) != SSL_REQUEST:
                return
            writer.write(b"S" if self.offers_tls else b"N")
            if not self.offers_tls:
                await reader.read(1)
                return
            await writer.start_tls(self._context)
            self.encrypted += 1
            behind = await asyncio.open_connection("127.0.0.1", self._behind.port)
            await asyncio.gather(_pump(reader, behind[1]), _pump(behind[0], writer))
        except (OSError, asyncio.IncompleteReadError):
            # A client that does not trust us hangs up.
            return
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
async def private(tmp_path: Path, postgres: PostgresServer) -> AsyncIterator[Private]:
    async with Private(tmp_path, postgres).listening() as listening:
        yield listening


async def refusal(url: str) -> UnusableDatabase:
    with pytest.raises(UnusableDatabase) as refused:
        await PostgresStore.open(url, limits=QUICK)
    assert "secret" not in str(refused.value)
    return refused.value


async def test_a_server_that_proves_its_name_is_served(private):
    url = private.url("localhost", f"sslmode=verify-full&sslrootcert={private.ca}")
    store = await PostgresStore.open(url, limits=QUICK)
    thread = a_thread()

    await store.commit(change(InsertThread(thread)))

    assert await store.get_thread(thread.id) == thread
    await store.close()
    assert private.encrypted >= 2


async def test_a_server_of_another_authority_is_refused(private):
    refused = await refusal(private.url("localhost", f"sslmode=verify-full&sslrootcert={private.other_ca}"))

    assert "its certificate is not trusted" in str(refused)
    assert "sslrootcert=" in str(refused)
    assert not isinstance(refused, UnreachableDatabase)


async def test_a_server_of_another_name_is_refused(private):
    refused = await refusal(private.url("127.0.0.1", f"sslmode=verify-full&sslrootcert={private.ca}"))

    assert "IP address mismatch" in str(refused)


async def test_nothing_is_said_to_a_server_that_does_not_encrypt(private):
    private.offers_tls = False

    refused = await refusal(private.url("localhost", f"sslmode=verify-full&sslrootcert={private.ca}"))

    assert "rejected SSL upgrade" in str(refused)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (
            "sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
            "sslrootcert=/nowhere/ca.pem in its URL names a file that is not there",
        ),
        ("sslmode=nonsense", "its URL cannot be read"),
    ],
)
async def test_what_cannot_be_used_of_a_url_is_named_and_not_waited_for(private, query, words):
    refused = await refusal(private.url("localhost", query))

    assert words in str(refused)
    assert not isinstance(refused, UnreachableDatabase)
