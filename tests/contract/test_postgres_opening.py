"""Databases that cannot be served, and the sentence that says why; schemas brought up to date by several at once."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count

import pytest
from structlog.testing import capture_logs

from runstead.domain.change import InsertThread
from runstead.store.errors import NewerDatabase, UnreachableDatabase, UnusableDatabase
from runstead.store.migrate import Migration, packaged_migrations
from runstead.store.postgres import PostgresStore
from runstead.store.postgres_clock import DatabaseClock
from runstead.store.postgres_connections import Limits, Server, refuse_version
from runstead.store.postgres_migrate import migrate
from runstead.store.postgres_opening import once_it_answers
from tests.contract.postgres_server import PostgresServer, a_server
from tests.contract.samples import a_thread, change

QUICK = Limits(connect=2.0, patience=0.2)
_numbers = count(1)

OPENS = """
import asyncio, sys
from runstead.store.postgres import PostgresStore
async def main():
    store = await PostgresStore.open(sys.argv[1])
    await store.next_deadline()
    await store.close()
asyncio.run(main())
"""


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    """The name of an empty one."""
    name = f"fresh_{next(_numbers)}"
    postgres.sql(f"CREATE DATABASE {name}")
    yield name
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


async def refusal(url: str) -> str:
    with pytest.raises(UnusableDatabase) as refused:
        await PostgresStore.open(url, limits=QUICK)
    return str(refused.value)


def versions(postgres: PostgresServer, database: str) -> list[int]:
    return [int(line) for line in postgres.sql("SELECT version FROM migrations ORDER BY 1", database).split()]


async def test_two_processes_that_start_at_once_migrate_once(postgres, database) -> None:
    command = [sys.executable, "-c", OPENS, postgres.url(database)]

    done = await asyncio.gather(
        *(asyncio.to_thread(subprocess.run, command, capture_output=True, text=True) for _ in range(2))
    )

    assert [(node.returncode, node.stderr) for node in done] == [(0, "")] * 2
    assert versions(postgres, database) == [migration.version for migration in packaged_migrations("postgres")]


async def test_many_that_start_at_once_migrate_once(postgres, database) -> None:
    stores = await asyncio.gather(*(PostgresStore.open(postgres.url(database)) for _ in range(6)))

    for store in stores:
        await store.commit(change(InsertThread(a_thread())))
        await store.close()


async def test_a_migration_is_whole_or_not_there(postgres, database) -> None:
    server = Server(postgres.url(database), QUICK, DatabaseClock())
    good = Migration(1, "0001_good.sql", "CREATE TABLE good (n int); INSERT INTO good VALUES (1);")
    bad = Migration(2, "0002_bad.sql", "CREATE TABLE bad (n int); SELECT nonsense;")
    connection = await server.connect()

    with pytest.raises(Exception, match="nonsense"):
        await migrate(connection, server.where, [good, bad])
    assert versions(postgres, database) == [1]
    mended = Migration(2, "0002_bad.sql", "CREATE TABLE bad (n int);")
    await migrate(connection, server.where, [good, mended])

    assert versions(postgres, database) == [1, 2]
    await connection.close()


async def test_a_database_of_a_later_release_is_refused(postgres, database) -> None:
    await (await PostgresStore.open(postgres.url(database))).close()
    postgres.sql("INSERT INTO migrations VALUES (9000, 'later')", database)

    with pytest.raises(NewerDatabase, match=r"version 9000 .*start the newer release again"):
        await PostgresStore.open(postgres.url(database))


async def test_the_everyday_user_needs_no_right_to_create(postgres, database) -> None:
    await (await PostgresStore.open(postgres.url(database))).close()
    postgres.sql(
        """CREATE ROLE everyday LOGIN;
           GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO everyday;""",
        database,
    )

    store = await PostgresStore.open(postgres.url(database, "everyday"))
    await store.commit(change(InsertThread(a_thread())))

    await store.close()
    postgres.sql("DROP OWNED BY everyday; DROP ROLE everyday", database)


async def test_a_user_who_may_not_create_what_is_missing_is_told(postgres, database) -> None:
    postgres.sql("CREATE ROLE lowly LOGIN", database)

    said = await refusal(postgres.url(database, "lowly"))

    postgres.sql("DROP ROLE lowly", database)
    assert "may not do what is needed (permission denied for schema public)" in said


async def test_a_wrong_password_is_told_and_never_shown(postgres) -> None:
    postgres.sql("CREATE ROLE locked LOGIN PASSWORD 'right'")
    rules = postgres.home / "data" / "pg_hba.conf"
    open_to_all = rules.read_text()
    rules.write_text(f"host all locked 127.0.0.1/32 scram-sha-256\n{open_to_all}")
    postgres.sql("SELECT pg_reload_conf()")

    wrong = await refusal(f"postgresql://locked:secret-guess@127.0.0.1:{postgres.port}/postgres")

    rules.write_text(open_to_all)
    postgres.sql("SELECT pg_reload_conf(); DROP ROLE locked")
    assert "refuses the user or the password" in wrong
    assert f"127.0.0.1:{postgres.port}/postgres" in wrong
    assert "secret-guess" not in wrong


async def test_an_unknown_database_user_port_or_host_is_told(postgres) -> None:
    assert 'database "nowhere" does not exist' in await refusal(postgres.url("nowhere"))
    assert 'role "nobody_knows" does not exist' in await refusal(postgres.url(user="nobody_knows"))
    assert "no server can be reached there" in await refusal("postgresql://u:p@127.0.0.1:1/postgres")
    assert "no server can be reached there" in await refusal("postgresql://u:p@no-such-host.invalid/postgres")


@pytest.mark.parametrize(
    "url", ["postgresql://u:secret@host:not-a-port/db", "mysql://u:secret@host/db", "postgresql://["]
)
async def test_what_is_no_address_is_told(url) -> None:
    said = await refusal(url)

    assert "it looks like postgresql://user:password@host:5432/database" in said
    assert "secret" not in said


async def test_a_server_that_speaks_something_else_is_told() -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(shout, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        assert "cannot be used" in await refusal(f"postgresql://u:p@127.0.0.1:{port}/db")


async def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    ended = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        with pytest.raises(UnusableDatabase, match="does not answer in time"):
            await PostgresStore.open(f"postgresql://u:p@127.0.0.1:{port}/db", limits=Limits(connect=0.3))
        ended.set()


async def test_a_database_that_takes_no_writes_is_refused(postgres, database) -> None:
    await (await PostgresStore.open(postgres.url(database))).close()
    postgres.sql(f"ALTER DATABASE {database} SET default_transaction_read_only = on")

    assert "takes no writes" in await refusal(postgres.url(database))


async def test_a_commit_is_durable_whatever_the_database_is_set_to(postgres, database) -> None:
    postgres.sql(f"ALTER DATABASE {database} SET synchronous_commit = off")
    connection = await Server(postgres.url(database), QUICK, DatabaseClock()).connect()

    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    await connection.close()


def test_a_server_that_is_too_old_is_refused() -> None:
    with pytest.raises(UnusableDatabase, match="PostgreSQL 14 and this program needs 15 or newer"):
        refuse_version("postgresql://host/db", 140_011)
    refuse_version("postgresql://host/db", 150_000)


async def test_a_store_behind_a_pooler_keeps_no_statements(postgres, database) -> None:
    store = await PostgresStore.open(postgres.url(database), limits=Limits(cached_statements=0))
    thread = a_thread()

    await store.commit(change(InsertThread(thread)))

    assert await store.get_thread(thread.id) == thread
    await store.close()


async def opened(url: str, patience: float) -> PostgresStore:
    return await once_it_answers(lambda: PostgresStore.open(url, limits=QUICK), patience)


async def test_a_server_that_starts_later_is_waited_for() -> None:
    with a_server() as server:
        server.stop(signal.SIGINT)
        tries: asyncio.Queue[int] = asyncio.Queue()

        async def open() -> PostgresStore:
            tries.put_nowait(1)
            return await PostgresStore.open(server.url(), limits=QUICK)

        with capture_logs() as logs:
            opening = asyncio.create_task(once_it_answers(open, 60))
            for _ in range(2):
                await tries.get()
        await asyncio.to_thread(server.start)

        await (await opening).close()
    [said] = logs
    assert said["event"] == "waiting for the database"
    assert "no server can be reached there" in said["reason"]


async def test_a_server_that_does_not_come_is_not_waited_for_without_end() -> None:
    with pytest.raises(UnreachableDatabase, match="no server can be reached there"):
        await opened("postgresql://u:secret@127.0.0.1:1/postgres", 0.5)


async def test_what_waiting_would_not_cure_is_told_at_once(postgres) -> None:
    async with asyncio.timeout(30):
        with pytest.raises(UnusableDatabase, match="does not exist"):
            await opened(postgres.url("nowhere"), 3_600)


async def test_a_server_without_a_free_connection_is_waited_for(postgres) -> None:
    postgres.sql("CREATE ROLE crowded LOGIN SUPERUSER CONNECTION LIMIT 0; ALTER ROLE crowded NOSUPERUSER")
    with pytest.raises(UnreachableDatabase, match="has no connection left"):
        await opened(postgres.url(user="crowded"), 0)
    postgres.sql("DROP ROLE crowded")
