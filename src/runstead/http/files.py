"""/v1/files."""

from typing import Any

import msgspec

from runstead import filing
from runstead.domain.errors import ContentsMissing, InvalidRequest, NoFile
from runstead.http.api import Api, Call
from runstead.http.contents import Contents, span_of
from runstead.http.forms import BadForm, Form, Part
from runstead.http.pages import listed
from runstead.http.refusals import InvalidType, MissingParameter, NullCharacter, UnknownParameter, WrongLength
from runstead.http.second_reading import read
from runstead.ports import NoContents
from runstead.wire.base import Deleted, FileId, ListPage
from runstead.wire.files import CreateFile, File

LONGEST_NAME = 1_024
_FIELDS = {"purpose", "expires_after[anchor]", "expires_after[seconds]"}


async def create_file(api: Api, call: Call[None]) -> File:
    """Upload a file; its parts may come in any order."""
    id = FileId(api.new_id("file-"))
    assert call.form is not None
    upload = _Upload()
    try:
        async for part in call.form.parts():
            if part.name == "file":
                upload.filename = _checked_name(part, upload.filename)
                upload.length = await api.blobs.put(id, call.form.contents())
            else:
                await upload.take(part, call.form)
        file = upload.file(id, now=api.now())
    except InvalidRequest:
        # Anything worse leaves the contents to the sweep, which also knows what a lost commit became.
        if upload.length is not None:
            await api.blobs.delete(id)
        raise
    await api.journal.commit(filing.kept(file))
    return file


async def list_files(api: Api, call: Call[None]) -> ListPage[File]:
    """List files, all or those of one purpose."""
    return listed(await api.store.page_files(call.query.page, call.query.purpose))


async def get_file(api: Api, call: Call[None]) -> File:
    """Retrieve a file."""
    return await _present(api, FileId(call.path["file_id"]))


async def get_file_content(api: Api, call: Call[None]) -> Contents:
    """Retrieve what is in a file, or the range of it that the request names."""
    file = await _present(api, FileId(call.path["file_id"]))
    span = span_of(call.range, file.bytes)
    try:
        pieces = await api.blobs.get(file.id, span.start, span.end)
    except NoContents:
        # Deleted since, or really not here.
        await api.store.get_file(file.id)
        raise ContentsMissing(file.id) from None
    return Contents(file, span, pieces)


async def delete_file(api: Api, call: Call[None]) -> Deleted:
    """Delete a file, also from vector stores and from the tools of assistants and threads."""
    id = FileId(call.path["file_id"])
    await _present(api, id)
    await filing.remove(api.store, api.blobs, api.journal, id)
    # API: the marker is the plain noun here.
    return Deleted(id=id, object="file")


async def _present(api: Api, id: FileId) -> File:
    """The file, unless its time is over and nobody has removed it yet."""
    file = await api.store.get_file(id)
    if file.expires_at is not None and file.expires_at <= api.now():
        raise NoFile(id)
    return file


class _Upload:
    """What a form has said so far."""

    def __init__(self) -> None:
        self.filename: str | None = None
        self.length: int | None = None
        self._fields: dict[str, Any] = {}
        self._expiry: dict[str, Any] = {}

    async def take(self, part: Part, form: Form) -> None:
        """A field beside the file."""
        if part.name not in _FIELDS:
            raise UnknownParameter(part.name)
        if part.filename is not None:
            raise InvalidType(part.name, ["string"], "file")
        value = await form.text(part.name)
        if "\0" in value:
            raise NullCharacter(part.name)
        if part.name == "purpose":
            self._fields["purpose"] = value
        elif part.name == "expires_after[seconds]" and value.isascii() and value.isdecimal() and len(value) < 16:
            self._expiry["seconds"] = int(value)
        else:
            self._expiry[part.name[len("expires_after[") : -1]] = value

    def file(self, id: FileId, *, now: int) -> File:
        """The file that was described. Raises InvalidRequest."""
        if self.filename is None or self.length is None:
            raise MissingParameter("file")
        fields = self._fields | ({"expires_after": self._expiry} if self._expiry else {})
        body = msgspec.convert(read(fields, CreateFile), CreateFile)
        return File(
            id=id,
            bytes=self.length,
            created_at=now,
            filename=self.filename,
            purpose=body.purpose,
            expires_at=None if body.expires_after is None else now + body.expires_after.seconds,
        )


def _checked_name(part: Part, before: str | None) -> str:
    if before is not None:
        raise BadForm("it has more than one file")
    if part.filename is None:
        raise InvalidType("file", ["file"], "string")
    # Some clients send the whole path.
    name = part.filename.replace("\\", "/").rpartition("/")[2]
    if "\0" in name:
        raise NullCharacter("file")
    if len(name) > LONGEST_NAME:
        raise WrongLength("file", "string", len(name), None, LONGEST_NAME)
    return name or "upload"
