"""All checks, run one after the other against a server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import aiohttp
from msgspec import Struct

from runstead.conformance.areas.assistants import assistants
from runstead.conformance.areas.code import code
from runstead.conformance.areas.code_streaming import code_streaming
from runstead.conformance.areas.errors import errors
from runstead.conformance.areas.files import files
from runstead.conformance.areas.limits import limits
from runstead.conformance.areas.messages import messages
from runstead.conformance.areas.runs import runs
from runstead.conformance.areas.steps import steps
from runstead.conformance.areas.stores import stores
from runstead.conformance.areas.streaming import streaming
from runstead.conformance.areas.threads import threads
from runstead.conformance.areas.tools import tools
from runstead.conformance.areas.wires import wires
from runstead.conformance.check import BOTH, Area, Check
from runstead.conformance.client import Api, Lacking, Unmet
from runstead.conformance.evidence import Evidence
from runstead.conformance.script import Script
from runstead.conformance.shapes import Wire
from runstead.conformance.world import World

AREAS: tuple[Area, ...] = (
    assistants,
    threads,
    messages,
    runs,
    steps,
    streaming,
    tools,
    code,
    code_streaming,
    files,
    stores,
    errors,
    limits,
    wires,
)

CHECK_LIMIT = 90.0
"""Seconds one check may take, whatever a server does."""

NO_MODEL = "it needs a model behind the server: name one with --model, or bring one with --with-model"
NO_SCRIPT = "it needs a model that says what it is told: --with-model"

Outcome = Literal["passed", "failed", "skipped"]


class Result(Struct, frozen=True):
    """What became of a check on one wire."""

    area: str
    name: str
    fact: str
    wire: Wire
    outcome: Outcome
    reason: str | None = None


class Target(Struct, frozen=True):
    """What is checked, and with what."""

    base_url: str
    model: str | None = None
    """The model that assistants are created with; without it no run is started."""
    script_url: str | None = None
    """The scripted model that the server asks."""
    wires: tuple[Wire, ...] = BOTH
    areas: tuple[str, ...] = ()
    """Only these; all if there are none."""
    names: tuple[str, ...] = ()
    """Only these checks; all if there are none."""

    @property
    def has_script(self) -> bool:
        return self.script_url is not None and self.model is not None


def chosen(target: Target) -> Iterator[tuple[Check, Wire]]:
    """The checks of a target with the wires they are run on, in the order in which they are told."""
    for area in AREAS:
        if not target.areas or area.name in target.areas:
            for check in area.checks:
                if not target.names or check.name in target.names:
                    yield from ((check, wire) for wire in check.wires if wire in target.wires)


async def run(target: Target, session: aiohttp.ClientSession, evidence: Evidence) -> AsyncIterator[Result]:
    """Every result as soon as it is known. A check never ends the suite."""
    apis = {wire: Api(session, target.base_url, wire, evidence) for wire in BOTH}
    script = None
    if target.script_url is not None and target.model is not None:
        script = Script(session, target.script_url, target.model)
    for check, wire in chosen(target):
        reason = _why_not(check, target)
        if reason is None:
            world = World(apis, wire, target.model or "any-model", script)
            outcome, reason = await _outcome(check, world)
        else:
            outcome = "skipped"
        yield Result(check.area, check.name, check.fact, wire, outcome, reason)


def _why_not(check: Check, target: Target) -> str | None:
    if check.needs == "model" and target.model is None:
        return NO_MODEL
    if check.needs == "script" and not target.has_script:
        return NO_SCRIPT
    return None


async def _outcome(check: Check, world: World) -> tuple[Outcome, str | None]:
    try:
        async with asyncio.timeout(CHECK_LIMIT):
            if world.has_script:
                # What an earlier check left unsaid must not be said in this one.
                await world.script.will()
            await check.act(world)
    except Unmet as unmet:
        return "failed", str(unmet)
    except Lacking as lacking:
        return "skipped", f"the server says that {lacking}"
    except TimeoutError:
        return "failed", f"it took more than {CHECK_LIMIT:g} seconds"
    except (KeyError, IndexError, TypeError, ValueError) as error:
        # A server may answer anything: what a check stumbles over is a fault of the answer.
        return "failed", f"an answer has not the expected form: {type(error).__name__} {error}"
    finally:
        await world.tidy()
    return "passed", None
