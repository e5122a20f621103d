"""What `runstead conformance` does: find the server, let a scripted model speak behind it, and tell what was found."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
from msgspec import Struct, structs

from runstead.conformance import report
from runstead.conformance.client import Api, Unmet, open_session
from runstead.conformance.evidence import Evidence
from runstead.conformance.script import Script
from runstead.conformance.suite import Result, Target, run
from runstead.conformance.world import World

SCRIPTED = "scripted"
"""The name under which the scripted model is asked, unless another is given."""
PATIENCE = 120.0
"""Seconds in which the server has to be there and to ask the scripted model."""
PAUSE = 0.25

Say = Callable[[str], None]
Serve = Callable[[], AbstractAsyncContextManager[str]]


class CannotCheck(Exception):
    """Nothing can be said about the server, and why."""


class Outputs(Struct, frozen=True):
    """The files that are asked for beside what is printed."""

    json: Path | None = None
    badge: Path | None = None


async def check(target: Target, api_key: str, outputs: Outputs, say: Say, serve_model: Serve | None = None) -> bool:
    """Check a server and tell of it; whether nothing failed. Raises CannotCheck."""
    if serve_model is not None:
        async with serve_model() as url:
            say(f"Point the server's model at {url}, and start it if it does not run.")
            return await _check(structs.replace(target, script_url=url), api_key, outputs, say)
    return await _check(target, api_key, outputs, say)


async def _check(target: Target, api_key: str, outputs: Outputs, say: Say) -> bool:
    evidence = Evidence()
    results: list[Result] = []
    async with open_session(api_key) as session:
        await _find(target, session, patience=PATIENCE if target.has_script else PAUSE)
        if target.script_url is not None and target.model is not None:
            await _let_it_ask(target, session, Script(session, target.script_url, target.model))
        async for result in run(target, session, evidence):
            results.append(result)
    for outcome in ("skipped", "failed"):
        for line in report.reasons(results, outcome):
            say(f"{outcome}: {line}")
    say(f"\n{report.table(results)}\n\nCovered: {report.covered(evidence.counts)}.")
    tally = report.Tally.of(results)
    _write(outputs.json, report.as_json(target.base_url, results, evidence.counts))
    _write(outputs.badge, report.badge(tally).encode())
    say(str(tally))
    return tally.failed == 0


async def _find(target: Target, session: aiohttp.ClientSession, patience: float) -> None:
    """Wait until something speaks HTTP at the server's address."""
    until = asyncio.get_running_loop().time() + patience
    while True:
        try:
            async with session.get(f"{target.base_url.rstrip('/')}/models"):
                return
        except (aiohttp.ClientError, TimeoutError) as error:
            if asyncio.get_running_loop().time() > until:
                raise CannotCheck(f"Nothing answers at {target.base_url}: {error}") from None
        except ValueError:
            raise CannotCheck(f"{target.base_url} is not the address of a server.") from None
        await asyncio.sleep(PAUSE)


async def _let_it_ask(target: Target, session: aiohttp.ClientSession, script: Script) -> None:
    """One run, to learn whether the server really asks the scripted model."""
    await script.will({"text": "Here I am."})
    api = Api(session, target.base_url, target.wires[-1], Evidence())
    world = World({target.wires[-1]: api}, target.wires[-1], script.model, script)
    try:
        await world.run()
        if not await script.has_been_asked(10):
            raise CannotCheck("The server started a run and did not ask the scripted model for it.")
    except Unmet as unmet:
        raise CannotCheck(f"The server does not start a run: {unmet}") from None
    finally:
        await world.tidy()


def _write(path: Path | None, content: bytes) -> None:
    if path is not None:
        path.write_bytes(content)
