"""The command line: serve, doctor, demo, conformance, backup, files, search, reindex, model, sandbox."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal

import click
from msgspec import Struct

from runstead import __version__, app, doctor, logs, server, settings
from runstead.banner import banner
from runstead.domain.errors import RunsteadError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="runstead")
def main() -> None:
    """A server for code that was written against OpenAI's Assistants API."""


def load_settings() -> settings.Settings:
    """The settings, or an end with the reason."""
    try:
        return settings.load()
    except settings.BadSetting as error:
        raise click.ClickException(str(error)) from None


def _announce(words: str) -> None:
    """To whoever listens: a server whose standard output is closed, or full, serves all the same."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(words)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65_535), help="0 takes a free one.")
@click.option(
    "--role",
    default="all",
    show_default=True,
    type=click.Choice(["all", "api", "worker"]),
    help="Answer clients, execute runs, or both. One of the two needs other nodes for the rest.",
)
def serve(host: str, port: int, role: app.Role) -> None:
    """Serve the API and execute runs until SIGTERM or Ctrl-C."""
    chosen = load_settings()
    logs.configure(chosen.log_level)
    for name in settings.unknown():
        click.echo(f"warning: {name} is not a setting of Runstead and was ignored.", err=True)
    if role != "all" and chosen.nats_url is None:
        raise click.ClickException(
            f"--role {role} leaves work to other nodes, and RUNSTEAD_NATS_URL, by which they are told, is not set."
        )
    missing, code = app.what_model_is_missing(chosen), app.what_code_finds(chosen)
    words_alone = app.what_search_is_missing(chosen)
    try:
        bound = server.bind(host, port, has_keys=bool(chosen.api_keys))
        with bound:
            number = bound.getsockname()[1]
            server.serve(
                chosen,
                bound,
                host,
                role=role,
                on_start=lambda: _announce(
                    banner(chosen, host, number, missing=missing, role=role, code=code, words_alone=words_alone)
                ),
            )
    except (server.CannotServe, RunsteadError) as error:
        raise click.ClickException(str(error)) from None


@main.command("doctor")
def examine() -> None:
    """Check settings, store, disk and model; 1 if anything has to be done."""
    logs.configure("error")
    click.echo(f"Runstead {__version__}, Python {sys.version.split()[0]}\n")
    for name, shown in doctor.shown_settings(os.environ):
        click.echo(f"  {name:30} {shown}")
    click.echo()
    is_well = True
    for finding in doctor.examine(os.environ):
        is_well &= finding.is_ok
        click.echo(f"{finding.mark:4}  {finding.subject:12} {finding.words}.")
        if finding.remedy is not None:
            click.echo(f"      {'':12} {finding.remedy}")
    sys.exit(0 if is_well else 1)


@main.command()
@click.option("--port", default=0, type=click.IntRange(0, 65_535), help="The server's port; a free one by default.")
@click.option("--model", help="The model to ask; by default the first that is listed.")
@click.option("--serve", is_flag=True, help="Keep the server up afterwards, until Ctrl-C.")
def demo(port: int, model: str | None, serve: bool) -> None:
    """Start a server, execute one run through the official client, and leave nothing behind."""
    chosen = load_settings()
    logs.configure("error")
    try:
        from runstead.demo import DemoFailed, demonstrate
    except ModuleNotFoundError as error:
        if error.name != "openai":
            raise
        raise click.ClickException(
            "The demonstration drives the official client, which is not installed: pip install 'runstead[demo]'"
        ) from None
    try:
        demonstrate(chosen, port=port, model=model, serve=serve)
    except DemoFailed as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.argument("base_url")
@click.option("--api-key", default="any-key", help="The key that the server asks for.")
@click.option("--model", help="A model that the server has; without one, and without --with-model, no run is started.")
@click.option("--with-model", is_flag=True, help="Bring a model that says what a check needs, and wait to be asked.")
@click.option(
    "--model-port", default=0, type=click.IntRange(0, 65_535), help="That model's port; a free one by default."
)
@click.option("--model-at", metavar="URL", help="Where such a model listens already, in place of --with-model.")
@click.option("--wire", type=click.Choice(["v1", "v2"]), help="Check one version only.")
@click.option("--area", multiple=True, help="Check this area only; may be given more than once.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write every result here.")
@click.option("--badge", type=click.Path(dir_okay=False, path_type=Path), help="Write an SVG badge here.")
def conformance(
    base_url: str,
    api_key: str,
    model: str | None,
    with_model: bool,
    model_port: int,
    model_at: str | None,
    wire: Literal["v1", "v2"] | None,
    area: tuple[str, ...],
    json_file: Path | None,
    badge: Path | None,
) -> None:
    """Check any server of the Assistants API at BASE_URL, which ends in /v1; 1 if it differs."""
    from runstead.conformance import command
    from runstead.conformance.suite import AREAS, Target

    unknown = sorted(set(area) - {each.name for each in AREAS})
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(each.name for each in AREAS)}.")
    if with_model and model_at:
        raise click.UsageError("--with-model and --model-at are two ways to the same: choose one.")
    if model is None and (with_model or model_at):
        model = command.SCRIPTED
    target = Target(base_url, model, model_at, ("v1", "v2") if wire is None else (wire,), area)
    serve_model = partial(app.scripted_model, "127.0.0.1", model_port) if with_model else None
    outputs = command.Outputs(json_file, badge)
    try:
        is_alike = asyncio.run(command.check(target, api_key, outputs, click.echo, serve_model))
    except (command.CannotCheck, OSError) as error:
        raise click.ClickException(str(error)) from None
    sys.exit(0 if is_alike else 1)


@main.command()
@click.argument("destination", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a backup that is there.")
def backup(destination: Path, *, force: bool) -> None:
    """Copy a single node's data to the folder DESTINATION, also while its server runs."""
    from runstead.backup import back_up

    try:
        done = back_up(load_settings(), destination, force=force)
    except RunsteadError as error:
        raise click.ClickException(str(error)) from None
    files = f", {done.files} files" if done.files else ""
    click.echo(f"{destination}: schema {done.schema}{files}, {done.bytes / 2**20:.1f} MiB.")


def _files(count: int) -> str:
    return "file" if count == 1 else "files"


class _Server(Struct, frozen=True):
    """Where a command finds the server, and what it shows it."""

    url: str
    key: str


def _to_a_server(command: Callable[..., None]) -> Callable[..., None]:
    """Options of a command that speaks to a running server; it gets them as one."""

    @click.option("--server", default="http://127.0.0.1:8000/v1", show_default=True, help="Its base URL, with /v1.")
    @click.option("--key", help="The key it asks for; by default the first of RUNSTEAD_API_KEYS.")
    @wraps(command)
    def told(*arguments: Any, server: str, key: str | None, **options: Any) -> None:
        logs.configure("error")
        keys = load_settings().api_keys
        command(*arguments, server=_Server(server, key or (keys[0] if keys else "any-key")), **options)

    return told


@main.group()
def files() -> None:
    """Files that assistants search."""


@files.command("add")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--store", required=True, help="The vector store's name or id; a new name makes a new store.")
@_to_a_server
def add_files(paths: tuple[Path, ...], store: str, server: _Server) -> None:
    """Upload files, and those in folders, to a vector store and wait until they can be searched; 1 if one cannot."""
    from runstead import stores

    try:
        found = stores.sources(paths)
        added = stores.add(found, store, server=server.url, key=server.key)
    except (RunsteadError, OSError) as error:
        raise click.ClickException(str(error)) from None
    for path, reason in added.failures.items():
        click.echo(f"failed  {path}: {reason}", err=True)
    of = f" of {len(found)}" if added.failures else ""
    click.echo(
        f"{added.completed}{of} {_files(len(found))} can be searched in {added.store['name']} ({added.store['id']})."
    )
    sys.exit(1 if added.failures else 0)


@main.command()
@click.argument("store")
@click.argument("query")
@click.option("--most", default=5, show_default=True, type=click.IntRange(1, 50), help="Results at most.")
@click.option("--full", is_flag=True, help="Show passages whole.")
@_to_a_server
def search(store: str, query: str, most: int, server: _Server, *, full: bool) -> None:
    """Search a vector store, by its name or id, for what fits QUERY; 1 if nothing does."""
    from runstead import stores

    try:
        results = stores.search(store, query, most=most, server=server.url, key=server.key)
    except RunsteadError as error:
        raise click.ClickException(str(error)) from None
    for place, result in enumerate(results, 1):
        click.echo(f"{place:2}. {result['score']:.2f}  {result['filename']}  {result['file_id']}")
        words = " ".join(" ".join(part["text"] for part in result["content"]).split())
        click.echo(f"    {words if full else shorten(words, 300, placeholder=' …')}\n")
    if not results:
        click.echo("Nothing fits.")
    sys.exit(0 if results else 1)


@main.command()
def reindex() -> None:
    """Read files again whose vectors another embedding model made, or that the index has lost.

    May be interrupted and started again. A SQLite file must not be served meanwhile; nodes on PostgreSQL may go on.
    """
    from runstead.reindex import reindex as perform

    logs.configure("error")
    try:
        done = perform(load_settings())
    except RunsteadError as error:
        raise click.ClickException(str(error)) from None
    for file, reason in done.failures.items():
        click.echo(f"failed  {file}: {reason}", err=True)
    click.echo(f"{done.done} {_files(done.done)} read again.")
    sys.exit(1 if done.failures else 0)


@main.group()
def model() -> None:
    """The embedded model."""


@model.command()
def prepare() -> None:
    """Fetch the embedded model's weights and check them; does nothing if they are there."""
    try:
        app.prepare_model(load_settings(), click.echo)
    except (RunsteadError, OSError) as error:
        raise click.ClickException(str(error)) from None


@main.group()
def sandbox() -> None:
    """Where model-written code runs."""


@sandbox.command("prepare")
def prepare_sandbox() -> None:
    """Fetch the packages that code may import; does nothing if they are there."""
    try:
        app.prepare_sandbox(load_settings(), click.echo)
    except (RunsteadError, OSError) as error:
        raise click.ClickException(str(error)) from None


@sandbox.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8443, show_default=True, type=click.IntRange(0, 65_535), help="0 takes a free one.")
@click.option("--certificate", required=True, type=click.Path(path_type=Path), help="The certificate to show, as PEM.")
@click.option("--key", type=click.Path(path_type=Path), help="Its key, if that is in a file of its own.")
def serve_sandbox(host: str, port: int, certificate: Path, key: Path | None) -> None:
    """Run code for servers on other machines, which share RUNSTEAD_SANDBOX_SECRET with this one."""
    chosen = load_settings()
    logs.configure(chosen.log_level)
    try:
        asyncio.run(app.serve_sandbox(chosen, host, port, certificate, key, _announce))
    except (RunsteadError, OSError) as error:
        raise click.ClickException(str(error)) from None
