"""The code interpreter: what code says, shows, reads and leaves behind, and what of it a client is told.

The model calls `code_interpreter` with one argument, `code`. What a server has no place for is skipped in its own words.
"""

import json
import re
from typing import Any

from runstead.conformance.areas.wires import agree
from runstead.conformance.check import Area
from runstead.conformance.client import Lacking, Unmet
from runstead.conformance.kinds import Json
from runstead.conformance.script import calls, text
from runstead.conformance.world import (
    FUNCTION,
    World,
    calls_of,
    expect,
    expect_status,
    outputs_for,
    path_of,
)

code = Area("code interpreter")

CODE: Json = {"type": "code_interpreter"}
LACKS = re.compile(r"code_interpreter is not available|no working sandbox", re.IGNORECASE)
READ = "import glob\nprint(*[open(name).read() for name in sorted(glob.glob('/mnt/data/*'))], sep='|')"
WRITE = "open('/mnt/data/out.csv', 'w').write('a,b\\n1,2\\n')\nNone"
LINK = "Here is [the table](sandbox:/mnt/data/out.csv), as asked."
DRAW = """
try:
    import matplotlib.pyplot as plt
except ImportError:
    class Drawn:
        def _repr_png_(self):
            import base64
            return base64.b64decode(
                "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
            )
    shown = Drawn()
else:
    plt.plot([1, 3, 2])
    plt.show()
    shown = None
shown
"""
"""A plot, or a dot as notebooks show one where there is nothing to plot with."""


def running(*cells: str) -> Json:
    """A turn that has code run, one call a cell."""
    return calls(*(("code_interpreter", json.dumps({"code": cell})) for cell in cells))


def working(run: Json) -> Json:
    """The run, unless the server says that it runs no code."""
    error = run.get("last_error")
    if run["status"] == "failed" and error and LACKS.search(error["message"]):
        raise Lacking(error["message"])
    return run


async def coded(world: World, *turns: Json, thread: Json | None = None, **assistant: Any) -> Json:
    """A completed run of an assistant that may run code, in which the model said these turns."""
    await world.script.will(*turns)
    made = await world.assistant(tools=[CODE], **assistant)
    return expect_status(working(await world.settled(await world.run(made, thread))), "completed")


async def made_by(world: World, run: Json) -> list[Json]:
    """What each call of the run's code came to: its `input` and `outputs`."""
    details = [step["step_details"] for step in await world.steps(run)]
    found = [call for each in details if each["type"] == "tool_calls" for call in each["tool_calls"]]
    return [call["code_interpreter"] for call in found if call["type"] == "code_interpreter"]


def logs(made: Json) -> str:
    return "".join(output["logs"] for output in made["outputs"] if output["type"] == "logs").strip()


async def kept(world: World, file_id: str) -> tuple[Json, bytes]:
    """A file that code made, and its contents."""
    file = await world.api.get(f"/files/{file_id}")
    world.keep_track(f"/files/{file_id}")
    return file, await world.api.download(f"/files/{file_id}/content")


@code.proves("Code is a step of type tool_calls that shows its input and what it printed.", needs="script")
async def is_a_step(world: World) -> None:
    cell = "print(6 * 7)"
    run = await coded(world, running(cell), text("It is 42."))

    ran, answered = await world.steps(run)

    expect((ran["type"], ran["status"]), ("tool_calls", "completed"), "the first step")
    [call] = ran["step_details"]["tool_calls"]
    expect((call["type"], call["code_interpreter"]["input"]), ("code_interpreter", cell), "type and input of the call")
    expect(logs(call["code_interpreter"]), "42", "the logs")
    expect(answered["type"], "message_creation", "the type of the second step")
    [_, request] = await world.script.requests()
    told = [each["content"] for each in request["messages"] if each["role"] == "tool"]
    expect(["42" in words for words in told], [True], "whether the model was told of the output")


@code.proves("The value of the last line is shown as a log.", needs="script")
async def last_value_is_shown(world: World) -> None:
    [made] = await made_by(world, await coded(world, running("x = 6\nx * 7"), text("42")))

    expect(logs(made), "42", "the logs")


@code.proves("An error is a log that the model is told of; the run goes on.", needs="script")
async def errors_are_logs(world: World) -> None:
    run = await coded(world, running("1 / 0"), text("Sorry."))

    [made] = await made_by(world, run)

    if "ZeroDivisionError" not in logs(made):
        raise Unmet(f"the logs do not name the error: {made['outputs']}")
    expect(str((await world.script.requests())[-1]).count("ZeroDivisionError") > 0, True, "whether the model knows it")


@code.proves("Variables stay from call to call and from run to run of a thread.", needs="script")
async def variables_stay(world: World) -> None:
    thread = await world.thread("Count.")
    first = await coded(world, running("x = 41"), running("x = x + 1\nprint(x)"), text("42"), thread=thread)
    second = await coded(world, running("print(x)"), text("Still 42"), thread=thread)

    [_, same_run], [later_run] = await made_by(world, first), await made_by(world, second)

    expect((logs(same_run), logs(later_run)), ("42", "42"), "what the later calls printed")


@code.proves("Another thread sees neither variables nor files of this one.", needs="script")
async def threads_are_apart(world: World) -> None:
    await coded(world, running("x = 1\nopen('/mnt/data/mine.txt', 'w').write('x')"), text("Kept."))
    look = "import os\nprint('x' in globals(), 'mine.txt' in os.listdir('/mnt/data'))"

    [made] = await made_by(world, await coded(world, running(look), text("Nothing.")))

    expect(logs(made), "False False", "what the other thread sees")


@code.proves("The files of an assistant are there for its code.", needs="script")
async def reads_files_of_the_assistant(world: World) -> None:
    file = await world.file(b"Oslo is cold.", "notes.txt")
    named: Json = (
        {"file_ids": [file["id"]]}
        if world.wire == "v1"
        else {"tool_resources": {"code_interpreter": {"file_ids": [file["id"]]}}}
    )

    [made] = await made_by(world, await coded(world, running(READ), text("Cold."), **named))

    expect(logs(made), "Oslo is cold.", "what code read")


@code.proves("The files of a message are there for the code of its thread.", needs="script")
async def reads_files_of_a_message(world: World) -> None:
    file = await world.file(b"Rome is warm.", "notes.txt")
    named: Json = (
        {"file_ids": [file["id"]]}
        if world.wire == "v1"
        else {"attachments": [{"file_id": file["id"], "tools": [CODE]}]}
    )
    thread = await world.thread(messages=[{"role": "user", "content": "Look.", **named}])

    [made] = await made_by(world, await coded(world, running(READ), text("Warm."), thread=thread))

    expect(logs(made), "Rome is warm.", "what code read")


@code.proves("A plot is an output of its step, a part of the answer, and a PNG that can be downloaded.", needs="script")
async def plots_are_images(world: World) -> None:
    run = await coded(world, running(DRAW), text("See the plot."))

    [made] = await made_by(world, run)
    parts = (await world.messages(run))[-1]["content"]

    images = [output["image"]["file_id"] for output in made["outputs"] if output["type"] == "image"]
    shown = [part["image_file"]["file_id"] for part in parts if part["type"] == "image_file"]
    expect((len(images), shown), (1, images), "the images of the step, and those of the message")
    file, contents = await kept(world, images[0])
    expect((file["purpose"], contents[:8]), ("assistants_output", b"\x89PNG\r\n\x1a\n"), "purpose and first bytes")


@code.proves("A file that the answer links to is a file_path annotation, and can be downloaded.", needs="script")
async def files_come_out(world: World) -> None:
    run = await coded(world, running(WRITE), text(LINK))

    message = (await world.messages(run))[-1]

    [part] = message["content"]
    [annotation] = part["text"]["annotations"]
    place = part["text"]["value"][annotation["start_index"] : annotation["end_index"]]
    link = "sandbox:/mnt/data/out.csv"
    expect((annotation["type"], annotation["text"], place), ("file_path", link, link), "type, text and place of it")
    file, contents = await kept(world, annotation["file_path"]["file_id"])
    expect((file["purpose"], contents), ("assistants_output", b"a,b\n1,2\n"), "purpose and contents of the file")
    own = message["file_ids"] if world.wire == "v1" else [each["file_id"] for each in message["attachments"]]
    expect(own, [file["id"]], "the files of the message")


@code.proves("Of one answer's calls a client is asked for its functions only; the step has them all.", needs="script")
async def functions_and_code_together(world: World) -> None:
    both = calls(("get_weather", '{"city": "Oslo"}'), ("code_interpreter", '{"code": "print(1)"}'))
    await world.script.will(both, text("Done"))
    assistant = await world.assistant(tools=[CODE, FUNCTION])
    run = expect_status(working(await world.settled(await world.run(assistant))), "requires_action")

    expect([call["function"]["name"] for call in calls_of(run)], ["get_weather"], "what the client is asked for")
    ended = await world.settled(await world.api.post(f"{path_of(run)}/submit_tool_outputs", outputs_for(run)))

    called = (await world.steps(expect_status(ended, "completed")))[0]["step_details"]["tool_calls"]
    expect(sorted(call["type"] for call in called), ["code_interpreter", "function"], "the calls of the step")
    expect([logs(made) for made in await made_by(world, ended)], ["1"], "what code printed")


@code.proves("A run whose code goes on is cancelled with its step.", needs="script")
async def running_code_is_cancelled(world: World) -> None:
    await world.script.will(running("import time\ntime.sleep(60)"), text("Never said."))
    run = working(await world.begun(await world.run(await world.assistant(tools=[CODE]))))

    ended = await world.settled(await world.api.post(f"{path_of(run)}/cancel"))

    expect_status(ended, "cancelled")
    expect([step["status"] for step in await world.steps(ended)], ["cancelled"], "the status of its step")


@code.proves("tool_choice can ask for code, and is shown by the run.", needs="script")
async def can_be_asked_for(world: World) -> None:
    await world.script.will(running("print(1)"), text("1"))
    assistant = await world.assistant(tools=[CODE, FUNCTION])

    run = working(await world.settled(await world.run(assistant, tool_choice=CODE)))

    expect(expect_status(run, "completed")["tool_choice"], CODE, "tool_choice")


@code.proves("Both versions tell the same of code, its step and its files.", needs="script")
async def wires_agree(world: World) -> None:
    run = await coded(world, running(WRITE, DRAW), text(LINK))

    message = f"/threads/{run['thread_id']}/messages/{(await world.messages(run))[-1]['id']}"
    for path in (path_of(run), message, *(f"{path_of(run)}/steps/{step['id']}" for step in await world.steps(run))):
        await agree(world, path)
    older, newer = await world.over("v1").get(message), await world.over("v2").get(message)
    attached = [each["file_id"] for each in newer["attachments"]]
    expect(older["file_ids"], attached, "file_ids of v1, compared with v2's attachments,")
