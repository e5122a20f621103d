"""Vector stores, which only v2 has, and the search in them, which v1 calls retrieval."""

from runstead.conformance.check import Area
from runstead.conformance.client import Unmet
from runstead.conformance.kinds import Json
from runstead.conformance.world import World, expect, expect_status

stores = Area("stores")

CALL = 'call file_search {"query": "winter in Oslo"}'
"""What the scripted model does as it is told, and then repeats what the tool said."""


@stores.proves("A store is created, read, changed and deleted.", wires=("v2",))
async def lives(world: World) -> None:
    made = await world.store(name="notes", metadata={"team": "blue"})
    path = f"/vector_stores/{made['id']}"

    changed = await world.api.post(path, {"name": "papers", "expires_after": {"anchor": "last_active_at", "days": 2}})

    expect((made["name"], made["status"], made["metadata"]), ("notes", "completed", {"team": "blue"}), "the new store")
    expect((changed["name"], changed["expires_after"]["days"]), ("papers", 2), "the changed store")
    marker = await world.api.delete(path)
    expect(marker, {"id": made["id"], "object": "vector_store.deleted", "deleted": True}, "the marker")
    await world.api.refused(404, "GET", path)


@stores.proves("Stores are listed, newest first.", wires=("v2",))
async def are_listed(world: World) -> None:
    older, newer = await world.store(name="older"), await world.store(name="newer")

    found = [each["id"] for each in (await world.api.get("/vector_stores?limit=100"))["data"]]

    expect([id for id in found if id in (older["id"], newer["id"])], [newer["id"], older["id"]], "the two new stores")


@stores.proves("A file is read into a store, and the store counts it.", wires=("v2",))
async def file_is_read(world: World) -> None:
    store, file = await world.store(), await world.file()
    path = f"/vector_stores/{store['id']}"

    await world.api.post(f"{path}/files", {"file_id": file["id"], "attributes": {"year": 2024, "kind": "note"}})
    read = await world.processed(f"{path}/files/{file['id']}")

    expect((read["id"], read["status"], read["last_error"]), (file["id"], "completed", None), "the store's file")
    expect(read["attributes"], {"year": 2024, "kind": "note"}, "its attributes")
    counts = (await world.api.get(path))["file_counts"]
    expect((counts["completed"], counts["total"]), (1, 1), "the counts of completed and all files")


@stores.proves("The automatic chunking is shown as what it is: 800 tokens that overlap by 400.", wires=("v2",))
async def chunking_is_shown(world: World) -> None:
    file = await world.file()
    store = await world.store(file)

    shown = (await world.api.get(f"/vector_stores/{store['id']}/files/{file['id']}"))["chunking_strategy"]

    static = {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}
    expect(shown, {"type": "static", "static": static}, "chunking_strategy")


@stores.proves("A batch reads many files, and says when all are read.", wires=("v2",))
async def batch_is_read(world: World) -> None:
    store, one, two = await world.store(), await world.file(), await world.file(b"Rome is warm.", "more.md")
    path = f"/vector_stores/{store['id']}/file_batches"

    made = await world.api.post(path, {"file_ids": [one["id"], two["id"]]})
    read = await world.processed(f"{path}/{made['id']}")

    expect((read["status"], read["file_counts"]["completed"]), ("completed", 2), "status and count")
    listed = (await world.api.get(f"{path}/{made['id']}/files"))["data"]
    expect({each["id"] for each in listed}, {one["id"], two["id"]}, "the files of the batch")


@stores.proves("A batch can be cancelled, and then says what became of each of its files.", wires=("v2",))
async def batch_is_cancelled(world: World) -> None:
    store, files = await world.store(), [await world.file() for _ in range(3)]
    path = f"/vector_stores/{store['id']}/file_batches"
    made = await world.api.post(path, {"file_ids": [file["id"] for file in files]})

    await world.api.post(f"{path}/{made['id']}/cancel")

    ended = await world.processed(f"{path}/{made['id']}")
    counts = ended["file_counts"]
    # It may have been quicker than we were.
    if (
        ended["status"] not in ("cancelled", "completed")
        or counts["completed"] + counts["cancelled"] != counts["total"]
    ):
        raise Unmet(f"the batch is {ended['status']} with {counts}")


@stores.proves("The attributes of a store's file are replaced.", wires=("v2",))
async def attributes_are_replaced(world: World) -> None:
    file = await world.file()
    store = await world.store(file)
    path = f"/vector_stores/{store['id']}/files/{file['id']}"

    changed = await world.api.post(path, {"attributes": {"year": 1999}})

    expect(changed["attributes"], {"year": 1999}, "the attributes")
    expect((await world.api.get(path))["attributes"], {"year": 1999}, "the attributes that are read")


@stores.proves("A file that cannot be read fails alone, and says why.", wires=("v2",))
async def unreadable_file_fails(world: World) -> None:
    store, file = await world.store(), await world.file(b"\x00\x01", "program.exe")
    path = f"/vector_stores/{store['id']}/files"
    answer = await world.api.send("POST", path, {"file_id": file["id"]})

    if answer.status == 200:
        failed = await world.processed(f"{path}/{file['id']}")
        expect((failed["status"], failed["last_error"]["code"]), ("failed", "unsupported_file"), "status and code")
    else:
        expect(answer.status, 400, "the status of a refusal")


@stores.proves("A file that leaves a store is still a file.", wires=("v2",))
async def file_leaves_a_store(world: World) -> None:
    file = await world.file()
    store = await world.store(file)

    marker = await world.api.delete(f"/vector_stores/{store['id']}/files/{file['id']}")

    expect(marker, {"id": file["id"], "object": "vector_store.file.deleted", "deleted": True}, "the marker")
    expect((await world.api.get(f"/vector_stores/{store['id']}/files"))["data"], [], "what is left")
    await world.api.get(f"/files/{file['id']}")


@stores.proves("The files of a store are filtered by their status.", wires=("v2",))
async def files_are_filtered(world: World) -> None:
    file = await world.file()
    store = await world.store(file)
    path = f"/vector_stores/{store['id']}/files?filter="

    found = [
        [each["id"] for each in (await world.api.get(f"{path}{word}"))["data"]] for word in ("completed", "failed")
    ]

    expect(found, [[file["id"]], []], "completed and failed files")


@stores.proves("A search finds the passage, with the file it is from and a score.", wires=("v2",))
async def search_finds(world: World) -> None:
    oslo, rome = await world.file(), await world.file(b"Rome is warm in summer.", "rome.md")
    store = await world.store(oslo, rome)

    found = await world.api.post(f"/vector_stores/{store['id']}/search", {"query": "winter in Oslo"})

    best = found["data"][0]
    expect((best["file_id"], best["filename"]), (oslo["id"], "notes.txt"), "the file of the best result")
    if "Oslo is cold" not in best["content"][0]["text"] or not 0 <= best["score"] <= 1:
        raise Unmet(f"the best result is {best}")


@stores.proves("A search can be limited to files with certain attributes.", wires=("v2",))
async def search_is_filtered(world: World) -> None:
    store, old, new = await world.store(), await world.file(b"Oslo then."), await world.file(b"Oslo now.")
    path = f"/vector_stores/{store['id']}"
    for file, year in ((old, 1990), (new, 2020)):
        await world.api.post(f"{path}/files", {"file_id": file["id"], "attributes": {"year": year}})
        await world.processed(f"{path}/files/{file['id']}")
    newer = {"type": "gt", "key": "year", "value": 2000}

    found = await world.api.post(f"{path}/search", {"query": "Oslo", "filters": newer})

    expect([each["file_id"] for each in found["data"]], [new["id"]], "the files that were found")


@stores.proves("The text that was read from a file can be had.", wires=("v2",))
async def text_can_be_had(world: World) -> None:
    file = await world.file()
    store = await world.store(file)

    page = await world.api.get(f"/vector_stores/{store['id']}/files/{file['id']}/content")

    expect("".join(part["text"] for part in page["data"]).strip(), "Oslo is cold in winter.", "the text")


@stores.proves("An unknown store is a 404; a number of results over 50 is a 400.", wires=("v2",))
async def bad_searches_are_refused(world: World) -> None:
    store = await world.store()

    await world.api.refused(404, "GET", "/vector_stores/vs_none")
    body = {"query": "Oslo", "max_num_results": 51}
    error = await world.api.refused(400, "POST", f"/vector_stores/{store['id']}/search", body)
    expect(error["param"], "max_num_results", "param")


@stores.proves("A run searches its files, shows the search as a step, and cites what it used.", needs="script")
async def run_searches(world: World) -> None:
    file = await world.file()
    run = await _searching_run(world, file)

    searched, answered = await world.steps(run)
    kind = "retrieval" if world.wire == "v1" else "file_search"
    expect([call["type"] for call in searched["step_details"]["tool_calls"]], [kind], "the calls of the first step")
    expect(answered["type"], "message_creation", "the type of the second step")
    text = (await world.messages(run))[-1]["content"][0]["text"]
    cited = [each for each in text["annotations"] if each["type"] == "file_citation"]
    expect({each["file_citation"]["file_id"] for each in cited}, {file["id"]}, "the files that are cited")
    for each in cited:
        expect(text["value"][each["start_index"] : each["end_index"]], each["text"], "the text at a citation's place")


@stores.proves(
    "The results of a search are shown with their text only if that is asked for.", needs="script", wires=("v2",)
)
async def results_show_text_if_asked(world: World) -> None:
    run = await _searching_run(world, await world.file())
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/steps?order=asc"
    asked = "&include[]=step_details.tool_calls[*].file_search.results[*].content"

    texts = []
    for query in ("", asked):
        [call] = (await world.api.get(path + query))["data"][0]["step_details"]["tool_calls"]
        [result] = call["file_search"]["results"]
        texts.append(bool(result.get("content")))

    expect(texts, [False, True], "whether there is text, unasked and asked")


async def _searching_run(world: World, file: Json) -> Json:
    """A run that searched one file, in the words of its version."""
    if world.wire == "v1":
        assistant = await world.assistant(tools=[{"type": "retrieval"}])
        # A run waits for the files of its thread; v1 cannot see when those of an assistant are read.
        thread = await world.thread(messages=[{"role": "user", "content": CALL, "file_ids": [file["id"]]}])
    else:
        store = await world.store(file)
        resources = {"file_search": {"vector_store_ids": [store["id"]]}}
        assistant = await world.assistant(tools=[{"type": "file_search"}], tool_resources=resources)
        thread = await world.thread(CALL)
    return expect_status(await world.settled(await world.run(assistant, thread)), "completed")
