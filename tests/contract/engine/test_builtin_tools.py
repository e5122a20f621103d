"""Runs that use built-in tools: what is stored when, what is told, and that nothing done is done again."""

import json
from typing import Any

import pytest

from runstead.domain.errors import ToolFailed, Unavailable
from runstead.ports import CodeOutcome, SandboxUnavailable
from runstead.tools.code_interpreter import STARTED_ANEW
from runstead.tools.file_search import NO_FILES
from runstead.wire.chat import ChatRequest
from runstead.wire.messages import FileCitation, ImageFileContent
from runstead.wire.run_steps import ImageOutput, LogOutput, OutputImage
from tests.contract.engine.test_runs import CALLS, CREATED, MESSAGE, MESSAGE_DONE, without_deltas
from tests.contract.engine.tool_doubles import a_file, passage
from tests.contract.engine.virtual_time import in_virtual_time
from tests.contract.engine.world import BUILTIN, TOOLS, World, a_world, calling, saying, using

CODE = "code_interpreter"
SEARCH = "file_search"


def code(id: str, source: str) -> tuple[str, str, str]:
    return id, CODE, json.dumps({"code": source})


def search(id: str, query: str) -> tuple[str, str, str]:
    return id, SEARCH, json.dumps({"query": query})


async def a_run(world: World, *turns, **fields):
    world.model.will(*turns)
    return await world.create_run(**({"assistant_id": BUILTIN} | fields))


async def calls_of(world: World, run, place: int = 0):
    return [step.step_details.tool_calls for step in await world.steps(run) if step.type == "tool_calls"][place]


def outputs_told(world: World, request: int = -1) -> list[Any]:
    return [message.content for message in world.model.requests[request].messages if message.role == "tool"]


def description_of(request: ChatRequest) -> str:
    """What the model is told of the code interpreter."""
    [found] = [tool["function"] for tool in request.tools or () if tool["function"]["name"] == CODE]
    return str(found["description"])


# One call


@in_virtual_time
async def test_code_runs_between_two_calls_of_the_model():
    async with a_world() as world:
        world.sandbox.will(CodeOutcome("2\n"))
        run = await a_run(world, using(code("call_a", "print(1+1)")), saying("It is 2."))

        assert await world.rested(run) == "completed"

        assert without_deltas(await world.told(run)) == [
            *CREATED,
            *CALLS,
            "run.step.completed",
            *MESSAGE,
            *MESSAGE_DONE,
            "run.completed",
        ]
        [call] = await calls_of(world, run)
        assert (call.id, call.code_interpreter.input) == ("call_a", "print(1+1)")
        assert call.code_interpreter.outputs == [LogOutput("2\n")]
        assert outputs_told(world) == ["2\n"]
        [executed] = world.sandbox.executed
        assert (executed.thread_id, executed.code) == (run.thread_id, "print(1+1)")
        assert not (await world.record(run)).has_open_calls


@in_virtual_time
async def test_a_search_finds_passages_under_marks_that_become_citations():
    async with a_world() as world:
        world.library.passages = [passage("file-1", "Oslo is cold."), passage("file-2", "Rome is warm.", 0.25)]
        run = await a_run(
            world, using(search("call_a", "cold")), saying("Oslo is cold【0:", "0†source】", " and 【9:9†source】.")
        )

        assert await world.rested(run) == "completed"
        await world.told(run)

        [call] = await calls_of(world, run)
        results = call.file_search.results
        assert [(r.file_id, r.file_name, r.score) for r in results] == [
            ("file-1", "file-1.txt", 0.5),
            ("file-2", "file-2.txt", 0.25),
        ]
        assert call.file_search.ranking_options.ranker == "default_2024_08_21"
        assert outputs_told(world) == [
            "【0:0†source】 file-1.txt\nOslo is cold.\n\n【0:1†source】 file-2.txt\nRome is warm."
        ]
        [searched] = world.library.searched
        assert (searched.stores, searched.query, searched.limit, searched.score_threshold) == (
            ["vs_own"],
            "cold",
            20,
            0.0,
        )
        (message,) = await world.messages(run)
        [annotation] = message.content[0].text.annotations
        assert (annotation.text, annotation.start_index, annotation.end_index) == ("【0:0†source】", 12, 24)
        assert annotation.file_citation == FileCitation("file-1", "Oslo is cold.")


@in_virtual_time
async def test_what_code_draws_and_writes_reaches_the_message():
    async with a_world() as world:
        world.files.upload("file-in", "data.csv")
        world.sandbox.will(CodeOutcome("", images=(a_file("figure.png"),), files=(a_file("out.csv"),)))
        run = await a_run(
            world, using(code("call_a", "plot()")), saying("See [it](sandbox:/mnt/data/out", ".csv)", ".")
        )

        assert await world.rested(run) == "completed"
        await world.told(run)

        assert world.files.made == ["figure.png", "out.csv"]
        [call] = await calls_of(world, run)
        assert call.code_interpreter.outputs == [ImageOutput(OutputImage("file-made0"))]
        (message,) = await world.messages(run)
        text, image = message.content
        [annotation] = text.text.annotations
        assert annotation.file_path.file_id == "file-made1"
        assert text.text.value[annotation.start_index : annotation.end_index] == "sandbox:/mnt/data/out.csv"
        assert isinstance(image, ImageFileContent)
        assert image.image_file.file_id == "file-made0"
        assert [attachment.file_id for attachment in message.attachments] == ["file-made1"]
        assert world.sandbox.executed[0].originals == ["data.csv"]
        assert "sandbox:/mnt/data/out.csv" in outputs_told(world)[0]


@in_virtual_time
async def test_a_later_run_finds_what_an_earlier_one_made_and_is_reminded_of_its_calls():
    async with a_world() as world:
        world.sandbox.will(CodeOutcome("x", files=(a_file("out.csv"),)), CodeOutcome("y", is_fresh=True))
        world.library.passages = [passage("file-1", "One.")]
        first = await a_run(world, using(code("call_a", "1"), search("call_s", "q")), saying("Done."))
        assert await world.rested(first) == "completed"
        second = await a_run(
            world,
            using(code("call_b", "2"), search("call_t", "r")),
            saying("sandbox:/mnt/data/out.csv 【0:0†source】【1:0†source】"),
            thread_id=first.thread_id,
        )

        assert await world.rested(second) == "completed"
        await world.told(second)

        assert world.sandbox.executed[1].files == ["out.csv"]
        assert world.sandbox.executed[1].originals == []
        (message,) = await world.messages(second)
        assert [type(each).__name__ for each in message.content[0].text.annotations] == [
            "FilePathAnnotation",
            "FileCitationAnnotation",
            "FileCitationAnnotation",
        ]
        assert message.attachments == []
        first_told, _, fresh, marked = outputs_told(world)
        assert first_told.startswith("x\n")
        # The session is a new one although the thread has run code: the model has to know.
        assert fresh == f"{STARTED_ANEW}\ny"
        assert marked.startswith("【1:0†source】")
        reminded = [m for m in world.model.requests[2].messages if m.tool_calls]
        assert [call.function.arguments for call in reminded[0].tool_calls] == ['{"code":"1"}', '{"query":"q"}']


@in_virtual_time
async def test_passages_are_cut_to_the_models_window():
    async with a_world() as world:
        # The window is 8,192: an eighth of it, at three bytes a token, is 3,072 bytes.
        world.library.passages = [passage("file-1", "a" * 2_000), passage("file-2", "b" * 1_072), passage("f-3", "c")]
        run = await a_run(world, using(search("call_a", "q")), saying("Done."))
        assert await world.rested(run) == "completed"
        [call] = await calls_of(world, run)
        assert [r.file_id for r in call.file_search.results] == ["file-1", "file-2"]

        world.library.passages = [passage("file-1", "é" * 3_000)]
        run = await a_run(world, using(search("call_a", "q")), saying("Done."))
        assert await world.rested(run) == "completed"
        [call] = await calls_of(world, run)
        assert [part.text for part in call.file_search.results[0].content] == ["é" * 1_536]


@in_virtual_time
async def test_the_model_is_told_which_files_there_are():
    async with a_world() as world:
        world.files.upload("file-in", "data.csv")
        world.sandbox.will(CodeOutcome("", files=(a_file("out.csv"),)))
        run = await a_run(world, using(code("call_a", "1")), saying("Done."))
        assert await world.rested(run) == "completed"
        before, after = (description_of(request) for request in world.model.requests)
        assert before.endswith("Python 3.11 with nothing.\nFiles now: /mnt/data/data.csv")
        assert after.endswith("\nFiles now: /mnt/data/data.csv, /mnt/data/out.csv")


@in_virtual_time
async def test_a_result_whose_commit_was_answered_to_nobody_is_not_lost_to_a_cancellation():
    async with a_world() as world:
        held = world.sandbox.will_hold(CodeOutcome("one"))
        run = await a_run(world, using(code("call_a", "1")), saying("Never said."))
        await held.reached.wait()
        line = world.nodes[0].line
        line.loses_answers = 1
        world.bus.loses_cancels = True
        held.opened.set()
        while line.loses_answers:
            await world.settled()
        await world.cancel(run)

        assert await world.rested(run) == "cancelled"

        [call] = await calls_of(world, run)
        assert call.code_interpreter.outputs == [LogOutput("one")]
        await world.told(run)


# Several calls and mixed turns


@in_virtual_time
async def test_calls_of_a_turn_are_performed_in_order_each_with_its_own_commit():
    async with a_world() as world:
        held = world.sandbox.will_hold(CodeOutcome("one"))
        second = world.sandbox.will_hold(CodeOutcome("two"))
        run = await a_run(world, using(code("call_a", "1"), code("call_b", "2")), saying("Done."))
        await held.reached.wait()
        assert [c.code_interpreter.outputs for c in await calls_of(world, run)] == [[], []]
        assert (await world.record(run)).has_open_calls

        held.opened.set()
        await second.reached.wait()
        assert [c.code_interpreter.outputs for c in await calls_of(world, run)] == [[LogOutput("one")], []]

        second.opened.set()
        assert await world.rested(run) == "completed"
        assert outputs_told(world) == ["one", "two"]
        await world.told(run)


@in_virtual_time
async def test_built_in_tools_go_before_the_clients_functions():
    async with a_world() as world:
        world.sandbox.will(CodeOutcome("one"))
        run = await a_run(world, using(("call_f", "f", "{}"), code("call_a", "1")), saying("Done."))

        assert await world.rested(run) == "requires_action"

        waiting = (await world.record(run)).run
        assert [c.id for c in waiting.required_action.submit_tool_outputs.tool_calls] == ["call_f"]
        function, interpreter = await calls_of(world, run)
        assert (function.function.output, interpreter.code_interpreter.outputs) == (None, [LogOutput("one")])
        await world.submit(run, call_f="theirs")
        assert await world.rested(run) == "completed"
        assert outputs_told(world) == ["theirs", "one"]
        assert without_deltas(await world.told(run)) == [
            *CREATED,
            *CALLS,
            "run.requires_action",
            "run.step.completed",
            "run.queued",
            "run.in_progress",
            *MESSAGE,
            *MESSAGE_DONE,
            "run.completed",
        ]


@in_virtual_time
async def test_code_that_is_no_json_is_answered_with_an_error_and_not_run():
    async with a_world() as world:
        turn = using(("call_a", CODE, "print(1)"), ("call_b", CODE, '{"cod": 1}'), ("call_s", SEARCH, "[]"))
        run = await a_run(world, turn, saying("Sorry."))

        assert await world.rested(run) == "completed"
        await world.told(run)

        assert world.sandbox.executed == []
        raw, wrong, searched = await calls_of(world, run)
        assert raw.code_interpreter.input == "print(1)"
        assert wrong.code_interpreter.input == ""
        assert searched.file_search.results == []
        assert all("JSON object" in told for told in outputs_told(world))


@in_virtual_time
async def test_a_good_call_beside_a_bad_one_is_performed():
    async with a_world() as world:
        run = await a_run(world, using(("call_a", CODE, "{"), code("call_b", "2")), saying("Done."))
        assert await world.rested(run) == "completed"
        await world.told(run)
        assert [executed.code for executed in world.sandbox.executed] == ["2"]


# Ends


@in_virtual_time
async def test_a_cancellation_interrupts_the_tool_at_once():
    async with a_world() as world:
        held = world.sandbox.will_hold(CodeOutcome("never"))
        run = await a_run(world, using(code("call_a", "1"), ("call_f", "f", "{}")))
        await held.reached.wait()

        await world.cancel(run)
        await world.settled()

        assert held.was_interrupted
        assert await world.status(run) == "cancelled"
        [step] = await world.steps(run)
        assert (step.status, step.cancelled_at is None) == ("cancelled", False)
        assert without_deltas(await world.told(run))[-3:] == ["run.cancelling", "run.step.cancelled", "run.cancelled"]
        assert (await world.record(run)).run.usage == step.usage


@in_virtual_time
async def test_the_deadline_interrupts_the_tool():
    async with a_world() as world:
        held = world.sandbox.will_hold(CodeOutcome("never"))
        run = await a_run(world, using(code("call_a", "1")))
        await held.reached.wait()
        await world.pass_time(601)
        assert held.was_interrupted
        assert await world.status(run) == "expired"
        [step] = await world.steps(run)
        assert step.status == "expired"
        await world.told(run)


@in_virtual_time
async def test_a_cancellation_that_meets_a_result_comes_first():
    async with a_world() as world:
        held = world.sandbox.will_hold(CodeOutcome("late"))
        run = await a_run(world, using(code("call_a", "1")), saying("Never said."))
        await held.reached.wait()
        world.bus.loses_cancels = True
        await world.cancel(run)
        held.opened.set()

        assert await world.rested(run) == "cancelled"

        assert without_deltas(await world.told(run))[-3:] == ["run.cancelling", "run.step.cancelled", "run.cancelled"]
        assert len(world.model.requests) == 1


@in_virtual_time
async def test_a_server_without_a_sandbox_says_so_before_the_model_is_asked():
    async with a_world() as world:
        world.sandbox.description = SandboxUnavailable("code_interpreter is not available: no bubblewrap.")
        run = await a_run(world, saying("Never said."))
        assert await world.rested(run) == "failed"
        assert (await world.record(run)).run.last_error.message == "code_interpreter is not available: no bubblewrap."
        assert world.model.requests == []


@pytest.mark.parametrize("turn", [using(code("call_a", "1")), using(search("call_a", "q"))])
@in_virtual_time
async def test_a_tool_that_fails_ends_the_run_and_its_step(turn):
    async with a_world() as world:
        world.sandbox.will(SandboxUnavailable("The box broke."))
        world.library.failure = ToolFailed("The box broke.")
        run = await a_run(world, turn)
        assert await world.rested(run) == "failed"
        await world.told(run)
        [step] = await world.steps(run)
        assert (step.status, step.last_error.message) == ("failed", "The box broke.")
        assert not (await world.record(run)).has_open_calls


@in_virtual_time
async def test_files_that_cannot_be_kept_are_told_of_and_cost_nothing_else():
    async with a_world() as world:
        world.files.failure = Unavailable("disk full")
        world.sandbox.will(CodeOutcome("ok", images=(a_file("figure.png"),), files=(a_file("out.csv"),)))
        run = await a_run(world, using(code("call_a", "1")), saying("Done."))
        assert await world.rested(run) == "completed"
        assert outputs_told(world) == ["ok\n[Not kept, because nothing could be stored: out.csv, a figure]"]
        assert len(world.sandbox.executed) == 1


@in_virtual_time
async def test_a_run_without_stores_searches_nothing():
    async with a_world() as world:
        tools = (await world.store.get_assistant(BUILTIN)).tools
        run = await a_run(world, using(search("call_a", "q")), saying("No."), assistant_id="asst_1", tools=tools)
        assert await world.rested(run) == "completed"
        assert outputs_told(world) == [NO_FILES]
        assert world.library.searched == []


# Workers that die


@in_virtual_time
async def test_a_dead_workers_call_is_performed_again_and_its_finished_ones_are_not():
    async with a_world(nodes=2) as world:
        world.sandbox.will(CodeOutcome("one"))
        held = world.sandbox.will_hold(CodeOutcome("never"))
        world.seats_on = world.nodes[0]
        run = await a_run(world, using(code("call_a", "1"), code("call_b", "2")), saying("Done."))
        await held.reached.wait()
        await world.nodes[0].die()
        world.sandbox.will(CodeOutcome("two", is_fresh=True))

        assert await world.rested(run) == "completed"

        assert [executed.code for executed in world.sandbox.executed] == ["1", "2", "2"]
        first, second = await calls_of(world, run)
        assert first.code_interpreter.outputs == [LogOutput("one")]
        assert second.code_interpreter.outputs == [LogOutput(f"{STARTED_ANEW}\ntwo")]
        assert without_deltas(await world.told(run)) == [
            *CREATED,
            *CALLS,
            "run.step.completed",
            *MESSAGE,
            *MESSAGE_DONE,
            "run.completed",
        ]
        # The model's answer, which was stored, was not asked for again.
        assert len(world.model.requests) == 2


@in_virtual_time
async def test_a_worker_that_stops_hands_its_call_over():
    async with a_world(nodes=2) as world:
        held = world.sandbox.will_hold(CodeOutcome("never"))
        world.seats_on = world.nodes[0]
        run = await a_run(world, using(code("call_a", "1")), saying("Done."))
        await held.reached.wait()

        await world.nodes[0].drain()

        assert held.was_interrupted
        assert await world.rested(run) == "completed"
        assert [executed.code for executed in world.sandbox.executed] == ["1", "1"]
        assert (await world.record(run)).lost_leases == 0
        await world.told(run)


@in_virtual_time
async def test_code_that_kills_its_workers_ends_its_run():
    async with a_world(nodes=4) as world:
        for node in world.nodes[1:]:
            node.worker._capacity = 0
        run = await a_run(world, using(code("call_a", "1")))
        for _ in range(3):
            held = world.sandbox.will_hold(CodeOutcome("never"))
            node = world.nodes.pop(0)
            node.worker._capacity = 1
            await held.reached.wait()
            await node.die()
        world.nodes[0].worker._capacity = 1
        assert await world.rested(run) == "failed"
        assert "3 times in a row" in (await world.record(run)).run.last_error.message
        [step] = await world.steps(run)
        assert step.status == "failed"


@in_virtual_time
async def test_a_run_that_nobody_can_take_over_expires_with_its_open_step():
    async with a_world() as world:
        held = world.sandbox.will_hold(CodeOutcome("never"))
        run = await a_run(world, using(code("call_a", "1")))
        await held.reached.wait()
        dead = world.nodes.pop()
        await dead.die()
        await world.pass_time(700)
        world.add_node()
        assert await world.rested(run) == "expired"
        [step] = await world.steps(run)
        assert step.status == "expired"
        await world.told(run)


@in_virtual_time
async def test_the_store_may_be_away_while_a_tool_works():
    async with a_world() as world:
        held = world.sandbox.will_hold(CodeOutcome("one"))
        run = await a_run(world, using(code("call_a", "1")), saying("Done."))
        await held.reached.wait()
        line = world.nodes[0].line
        line.is_down = True
        held.opened.set()
        await world.pass_time(1)
        line.is_down = False
        assert await world.rested(run) == "completed"
        assert [executed.code for executed in world.sandbox.executed] == ["1"]


@in_virtual_time
async def test_runs_without_built_in_tools_make_no_more_commits(monkeypatch):
    async with a_world() as world:
        commits = []
        node = world.nodes[0]
        commit = node.journal.commit

        async def counted(change):
            commits.append(change)
            await commit(change)

        monkeypatch.setattr(node.journal, "commit", counted)
        world.model.will(calling("a"))
        run = await world.create_run(tools=TOOLS)
        await world.rested(run)
        # The claim, and the end of the answer.
        assert len(commits) == 2
