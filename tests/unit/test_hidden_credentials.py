"""What addresses hold of secrets is never shown."""

import pytest

from runstead.logs import without_credentials


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/v1"),
        ("postgresql://me:secret@db/runstead", "postgresql://***@db/runstead"),
        ("postgresql://db/runstead?user=me&password=secret", "postgresql://db/runstead?***"),
        ("http://me:se@cret@host/v1", "http://***@host/v1"),
        ("postgresql://me:sec/ret@127.0.0.1/db", "postgresql://***@127.0.0.1/db"),
        ("nats://me:secret@one:4222,nats://me:secret@two:4222", "nats://***@two:4222"),
        ("sqlite:////var/lib/runstead.db", "sqlite:////var/lib/runstead.db"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address, shown):
    assert without_credentials(address) == shown
