"""Files: they go in and come out unchanged, and assistants and messages can name them."""

import aiohttp

from runstead.conformance.check import Area
from runstead.conformance.client import Unmet
from runstead.conformance.world import World, expect

files = Area("files")


@files.proves("An uploaded file is shown with its name, size and purpose, and is ready.")
async def is_uploaded(world: World) -> None:
    made = await world.file(b"Oslo is cold.", "notes.txt")

    shown = (made["filename"], made["bytes"], made["purpose"], made["status"])
    expect(shown, ("notes.txt", 13, "assistants", "processed"), "name, bytes, purpose and status")
    expect(await world.api.get(f"/files/{made['id']}"), made, "the file that is read")


@files.proves("The content of a file is what was uploaded, byte for byte.")
async def content_is_unchanged(world: World) -> None:
    contents = bytes(range(256)) * 5
    made = await world.file(contents, "bytes.bin")

    found = await world.api.download(f"/files/{made['id']}/content")

    expect(found == contents, True, "whether the bytes are the same")


@files.proves("The parts of an upload may come in any order, and a name may be any text.")
async def parts_in_any_order(world: World) -> None:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", b"x", filename="Übung 1.txt")
    form.add_field("purpose", "assistants")

    made = await world.api.post("/files", form)
    world.keep_track(f"/files/{made['id']}")

    expect(made["filename"], "Übung 1.txt", "the name")


@files.proves("Files are listed, those of one purpose if it is asked for.")
async def are_listed(world: World) -> None:
    made = await world.file()

    found = [each["id"] for each in (await world.api.get("/files?purpose=assistants"))["data"]]
    others = (await world.api.get("/files?purpose=batch"))["data"]

    expect((made["id"] in found, made["id"] in [each["id"] for each in others]), (True, False), "where it is listed")


@files.proves("A deletion answers with a marker whose object is `file`, and then the file is gone.")
async def is_deleted(world: World) -> None:
    made = await world.file()

    marker = await world.api.delete(f"/files/{made['id']}")

    expect(marker, {"id": made["id"], "object": "file", "deleted": True}, "the marker")
    await world.api.refused(404, "GET", f"/files/{made['id']}")
    await world.api.refused(404, "GET", f"/files/{made['id']}/content")


@files.proves("An unknown file is a 404 in the API's words.")
async def no_such_file(world: World) -> None:
    error = await world.api.refused(404, "GET", "/files/file-none")

    expect((error["message"], error["param"]), ("No such File object: file-none", "id"), "message and param")


@files.proves("An upload without a file, or with a purpose that there is not, is refused.")
async def bad_uploads_are_refused(world: World) -> None:
    empty = aiohttp.FormData({"purpose": "assistants", "note": "no file"})
    aimless = aiohttp.FormData({"purpose": "decoration"})
    aimless.add_field("file", b"x", filename="x.txt")

    await world.api.refused(400, "POST", "/files", empty)
    error = await world.api.refused(400, "POST", "/files", aimless)
    expect(error["param"], "purpose", "param")


@files.proves("An assistant keeps the files of its tools.", wires=("v2",))
async def assistant_keeps_its_files(world: World) -> None:
    file = await world.file()
    resources = {"code_interpreter": {"file_ids": [file["id"]]}}

    made = await world.assistant(tools=[{"type": "code_interpreter"}], tool_resources=resources)

    expect(made["tool_resources"]["code_interpreter"]["file_ids"], [file["id"]], "the files of code interpreter")


@files.proves("A message keeps its attachments with the tools they are for.", wires=("v2",))
async def message_keeps_its_attachments(world: World) -> None:
    file, thread = await world.file(), await world.thread()
    attachment = {"file_id": file["id"], "tools": [{"type": "code_interpreter"}]}
    body = {"role": "user", "content": "Look.", "attachments": [attachment]}

    made = await world.api.post(f"/threads/{thread['id']}/messages", body)

    expect(made["attachments"], [attachment], "the attachments")


@files.proves("The files of an assistant can be added, listed and taken away one by one.", wires=("v1",))
async def assistant_files_are_objects(world: World) -> None:
    file, assistant = await world.file(), await world.assistant(tools=[{"type": "code_interpreter"}])
    path = f"/assistants/{assistant['id']}"

    made = await world.api.post(f"{path}/files", {"file_id": file["id"]})

    expect((made["id"], made["assistant_id"]), (file["id"], assistant["id"]), "the assistant's file")
    expect((await world.api.get(path))["file_ids"], [file["id"]], "file_ids")
    expect(await world.api.get(f"{path}/files/{file['id']}"), made, "the assistant's file that is read")
    await world.api.delete(f"{path}/files/{file['id']}")
    expect((await world.api.get(f"{path}/files"))["data"], [], "what is left")
    await world.api.get(f"/files/{file['id']}")


@files.proves("The files of a message are its file_ids, and objects of their own.", wires=("v1",))
async def message_files_are_objects(world: World) -> None:
    file, thread = await world.file(), await world.thread()
    path = f"/threads/{thread['id']}/messages"

    made = await world.api.post(path, {"role": "user", "content": "Look.", "file_ids": [file["id"]]})

    expect(made["file_ids"], [file["id"]], "file_ids")
    [listed] = (await world.api.get(f"{path}/{made['id']}/files"))["data"]
    expect((listed["id"], listed["message_id"]), (file["id"], made["id"]), "the message's file")
    expect(await world.api.get(f"{path}/{made['id']}/files/{file['id']}"), listed, "the message's file that is read")


@files.proves("A file that does not exist cannot be named.")
async def unknown_files_are_refused(world: World) -> None:
    tool = {"type": "code_interpreter"}
    named = (
        {"file_ids": ["file-none"]}
        if world.wire == "v1"
        else {"tool_resources": {"code_interpreter": {"file_ids": ["file-none"]}}}
    )

    error = await world.api.refused(400, "POST", "/assistants", {"model": world.model, "tools": [tool], **named})

    if "file-none" not in error["message"]:
        raise Unmet(f"the message does not name the file: {error['message']!r}")
