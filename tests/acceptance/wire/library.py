"""Vector stores over plain HTTP: files go in, and a test waits for what becomes of them."""

from dataclasses import dataclass
from typing import Any

from tests.acceptance.scripted import Json
from tests.acceptance.waiting import eventually
from tests.acceptance.wire.forms import upload
from tests.acceptance.wire.talk import Api


@dataclass(frozen=True)
class Shelf:
    """A vector store of one server."""

    api: Api
    id: str

    @classmethod
    def open(cls, api: Api, **fields: Any) -> "Shelf":
        return cls(api, api.post("/vector_stores", fields)["id"])

    def at(self, api: Api) -> "Shelf":
        """The same store on another server, or after a restart."""
        return Shelf(api, self.id)

    @property
    def path(self) -> str:
        return f"/vector_stores/{self.id}"

    def add(self, contents: bytes, name: bytes = b"a.txt", **fields: Any) -> str:
        """Upload a file and put it into the store."""
        file = upload(self.api, contents, name)
        self.api.post(f"{self.path}/files", {"file_id": file, **fields})
        return file

    def file(self, id: str) -> Json:
        return self.api.get(f"{self.path}/files/{id}")

    def ended(self, id: str) -> Json:
        """The store's file once nobody reads it any more."""
        return eventually(lambda: self.file(id), lambda file: file["status"] != "in_progress")

    @property
    def counts(self) -> dict[str, int]:
        found: dict[str, int] = self.api.get(self.path)["file_counts"]
        return found

    def search(self, query: str, **options: Any) -> list[Json]:
        found: list[Json] = self.api.post(f"{self.path}/search", {"query": query, **options})["data"]
        return found

    def found(self, query: str, **options: Any) -> list[str]:
        """Ids of the files that a query finds, best first."""
        return [result["file_id"] for result in self.search(query, **options)]
