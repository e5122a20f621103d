"""What the conformance suite says of a server, for tests of the suite."""

from runstead.conformance.client import open_session
from runstead.conformance.evidence import Evidence
from runstead.conformance.suite import AREAS, Result, Target, run
from tests.acceptance.processes import Server
from tests.acceptance.wire.broken import Fault, broken

CHECKS = {check.name: check for area in AREAS for check in area.checks}


async def results(
    url: str, *areas: str, names: tuple[str, ...] = (), model: str | None = None, script_url: str | None = None
) -> list[Result]:
    """Everything that the suite says of a server, or what some areas or checks of it say."""
    target = Target(url, model, script_url, areas=areas, names=names)
    async with open_session("sk-any-key") as session:
        return [result async for result in run(target, session, Evidence())]


def failures(found: list[Result]) -> dict[str, str | None]:
    """The reasons of the checks that failed."""
    return {result.name: result.reason for result in found if result.outcome == "failed"}


async def assert_is_found(server: Server, fault: Fault, name: str, *, model: str, script_url: str) -> None:
    """That this check fails at a server with that fault, and says why."""
    async with broken(server.url, fault) as url:
        found = await results(url, names=(name,), model=model, script_url=script_url)
    assert name in failures(found)
    assert all(result.reason for result in found if result.outcome == "failed")
