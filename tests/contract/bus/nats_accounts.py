"""An operator, an account and a user of NATS' decentralised kind, made as its own tools make them."""

import base64
import binascii
import hashlib
import json
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED, KINDS = 18 << 3, {"operator": 14 << 3, "account": 0, "user": 20 << 3}


class Signer:
    """A key of some kind, and what it signs."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._key = Ed25519PrivateKey.generate()
        self.public = _encoded(bytes([KINDS[kind]]) + self._key.public_key().public_bytes_raw())

    @property
    def seed(self) -> str:
        kind = KINDS[self.kind]
        return _encoded(bytes([SEED | kind >> 5, (kind & 31) << 3]) + self._key.private_bytes_raw())

    def token(self, subject: "Signer", **claims: Any) -> str:
        """What this one says of another."""
        body: dict[str, Any] = {"iat": int(time.time()), "iss": self.public, "sub": subject.public, "name": "test"}
        body["nats"] = {"type": subject.kind, "version": 2, **claims}
        body["jti"] = base64.b32encode(hashlib.sha256(json.dumps(body).encode()).digest()).decode().strip("=")
        signed = ".".join(_url_safe(part) for part in ({"typ": "JWT", "alg": "ed25519-nkey"}, body))
        return f"{signed}.{base64.urlsafe_b64encode(self._key.sign(signed.encode())).decode().rstrip('=')}"


def _encoded(body: bytes) -> str:
    return base64.b32encode(body + binascii.crc_hqx(body, 0).to_bytes(2, "little")).decode().rstrip("=")


def _url_safe(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def write_account(folder: Path) -> tuple[Path, Path]:
    """A server's configuration, and the file of credentials for the only user of its only account."""
    operator, system = Signer("operator"), Signer("account")
    account, user = Signer("account"), Signer("user")
    unlimited = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1)
    stored = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
    config = folder / "accounts.conf"
    config.write_text(
        f'jetstream {{ store_dir: "{folder / "accounts"}" }}\n'
        f"operator: {operator.token(operator)}\n"
        f"system_account: {system.public}\n"
        "resolver: MEMORY\n"
        "resolver_preload: {\n"
        f"  {system.public}: {operator.token(system, limits=unlimited)}\n"
        f"  {account.public}: {operator.token(account, limits={**unlimited, **stored})}\n"
        "}\n"
    )
    credentials = folder / "user.creds"
    credentials.write_text(
        f"-----BEGIN NATS USER JWT-----\n{account.token(user, subs=-1, data=-1, payload=-1)}\n"
        "------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return config, credentials
