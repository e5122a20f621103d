"""The way from a request to the model: what is read and written on it, and what is out before a commit."""

from runstead.domain.change import Change
from runstead.wire.base import RunId
from tests.contract.engine.virtual_time import in_virtual_time
from tests.contract.engine.world import a_world, calling


@in_virtual_time
async def test_a_run_that_is_offered_is_read_once_and_written_once_before_its_model_is_asked():
    async with a_world(nodes=1) as world:
        await world.rested(await world.create_run())
        asked = world.nodes[0].line.asked
        gate = world.model.will_stop_at_a_gate()
        asked.clear()
        run = await world.create_run()
        await gate.reached.wait()
        assert asked == ["snapshot", "commit"]
        gate.opened.set()
        await world.rested(run)


@in_virtual_time
async def test_a_run_that_comes_with_its_thread_is_not_read_before_its_model_is_asked():
    async with a_world(nodes=1) as world:
        world.seats_on = world.nodes[0]
        asked = world.nodes[0].line.asked
        gate = world.model.will_stop_at_a_gate()
        run = await world.create_thread_and_run("Hello", "there")
        await gate.reached.wait()
        assert asked == []
        assert [message.content for message in world.model.requests[-1].messages] == ["Hello", "there"]
        gate.opened.set()
        assert await world.rested(run) == "completed"


@in_virtual_time
async def test_what_was_said_is_out_before_anybody_can_go_on_from_it(monkeypatch):
    async with a_world(nodes=1) as world:
        node = world.nodes[0]
        done: list[str] = []
        commit = node.journal.commit

        async def pushed(run_id: RunId) -> None:
            done.append("push")

        async def committed(change: Change) -> None:
            done.append("commit")
            await commit(change)

        monkeypatch.setattr(node.journal, "commit", committed)
        monkeypatch.setattr(world.bus, "push", pushed, raising=False)
        world.model.will(calling("a"))
        run = await world.create_run()
        assert await world.rested(run) == "requires_action"
        # The claim says nothing that anybody would go on from.
        assert done == ["commit", "push", "commit"]
