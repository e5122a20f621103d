"""`runstead demo`: the real server as a process of its own, and one run through the official client.

Imports the official client, which only the extra `demo` installs.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer

import click
import openai
from openai import OpenAI

from runstead import app
from runstead.settings import Settings

QUESTION = "What is the capital of France? Answer in one short sentence."
INSTRUCTIONS = "You answer briefly and kindly."
START_LIMIT = 30.0
"""Seconds a server has to say where it listens."""
RUN_LIMIT = 300.0
"""Seconds the run may take, the loading of a model included."""
V1 = {"OpenAI-Beta": "assistants=v1"}
V1_RUN = (
    *("id", "object", "created_at", "thread_id", "assistant_id", "status", "required_action", "last_error"),
    *("expires_at", "started_at", "cancelled_at", "failed_at", "completed_at"),
    *("model", "instructions", "tools", "file_ids", "metadata"),
)
"""The fields that the oldest clients read of a run."""


class DemoFailed(Exception):
    """Why the demonstration ended early, with what to do."""


def demonstrate(settings: Settings, *, port: int, model: str | None, serve: bool) -> None:
    """Start, drive, show; with `serve` wait for the user before it all is removed. Raises DemoFailed."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    missing = app.what_model_is_missing(settings)
    if missing is not None:
        raise DemoFailed(missing)
    with tempfile.TemporaryDirectory(prefix="runstead-demo-") as folder, _server(Path(folder), port) as (child, url):
        client = OpenAI(
            base_url=url, api_key=settings.api_keys[0] if settings.api_keys else "any", timeout=RUN_LIMIT, max_retries=0
        )
        try:
            _drive(client, model or client.models.list().data[0].id)
        except openai.APIError as error:
            raise DemoFailed(f"The server refused: {error.message}") from None
        except IndexError:
            raise DemoFailed("The model's server lists no model. Name one with --model.") from None
        if settings.model_url is None:
            click.echo(
                "\nThese were the words of the embedded model. It proves that everything works and is no assistant: "
                "set RUNSTEAD_MODEL_URL to a chat-completions server for answers worth reading."
            )
        if serve:
            click.echo(
                f"\nThe server stays at {url} until Ctrl-C. What it stores then goes; `runstead serve` keeps it."
            )
            with suppress(KeyboardInterrupt):
                child.wait()


@contextmanager
def _server(folder: Path, port: int) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A server with a database in `folder`, and its base URL; ended with the block."""
    environment = (
        {"RUNSTEAD_LOG_LEVEL": "error"} | os.environ | {"RUNSTEAD_DATABASE_URL": f"sqlite:///{folder / 'demo.db'}"}
    )
    # Killed without a word, we still take the server along.
    tied = [sys.executable, "-m", "runstead.tether", str(os.getpid())]
    command = [*tied, sys.executable, "-m", "runstead", "serve", "--port", str(port)]
    # Asked to end, we end it in the gentler way. From before there is one: a signal may come at any time.
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own arguments
        try:
            yield child, _announced(child)
        finally:
            child.terminate()
            child.wait()
    finally:
        signal.signal(signal.SIGTERM, previous)


def _announced(child: "subprocess.Popen[str]") -> str:
    """Where the server says that it listens; its banner is shown as it comes."""
    assert child.stdout is not None
    # A server that neither speaks nor ends is killed, which ends the reading.
    watchdog = Timer(START_LIMIT, child.kill)
    watchdog.start()
    try:
        for line in child.stdout:
            click.echo(line, nl=False)
            found = re.search(r"http://\S+/v1$", line.strip())
            if found:
                return found[0]
    finally:
        watchdog.cancel()
    raise DemoFailed("The server did not start; its reason stands above.")


def _drive(client: OpenAI, model: str) -> None:
    assistant = client.beta.assistants.create(model=model, name="Demo", instructions=INSTRUCTIONS)
    _tell("assistant", assistant.id, f"model {model}")
    thread = client.beta.threads.create()
    _tell("thread", thread.id)
    message = client.beta.threads.messages.create(thread.id, role="user", content=QUESTION)
    _tell("message", message.id, QUESTION)
    run_id = _stream(client, thread.id, assistant.id)
    shown = client.beta.threads.runs.with_raw_response.retrieve(run_id, thread_id=thread.id, extra_headers=V1)
    run = json.loads(shown.http_response.text)
    click.echo("\nThe run as assistants=v1 shows it:")
    click.echo(json.dumps({name: run[name] for name in V1_RUN}, indent=2, ensure_ascii=False))
    if run["status"] != "completed":
        reason = (run["last_error"] or {}).get("message", "it gave no reason")
        raise DemoFailed(f"The run ended as {run['status']}: {reason}")


def _stream(client: OpenAI, thread_id: str, assistant_id: str) -> str:
    """Relay a run's words to the terminal; its id."""
    run_id = ""
    for event in client.beta.threads.runs.create(thread_id, assistant_id=assistant_id, stream=True):
        if event.event == "thread.run.created":
            run_id = event.data.id
            _tell("run", run_id)
            click.echo("\n> ", nl=False)
        elif event.event == "thread.message.delta":
            for part in event.data.delta.content or ():
                if part.type == "text" and part.text is not None:
                    click.echo(part.text.value or "", nl=False)
    click.echo()
    return run_id


def _tell(what: str, *words: str) -> None:
    click.echo(f"{what:10} {'  '.join(words)}")
