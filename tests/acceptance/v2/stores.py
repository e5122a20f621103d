"""Where this client has its vector stores: they left the beta between two of its releases."""

import io
from typing import Any


def stores_of(client: Any) -> Any:
    return client.vector_stores if hasattr(client, "vector_stores") else client.beta.vector_stores


def a_file(client: Any, name: str = "a.txt", contents: bytes = b"Hello") -> Any:
    return client.files.create(file=(name, io.BytesIO(contents)), purpose="assistants")
