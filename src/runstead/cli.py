"""The command line: serve, doctor, demo, model."""

import sys

import click

from runstead import __version__, logs, server, settings
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


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65_535), help="0 takes a free one.")
def serve(host: str, port: int) -> None:
    """Serve the API and execute runs until SIGTERM or Ctrl-C."""
    chosen = load_settings()
    logs.configure(chosen.log_level)
    for name in settings.unknown():
        click.echo(f"warning: {name} is not a setting of Runstead and was ignored.", err=True)
    try:
        bound = server.bind(host, port, has_keys=bool(chosen.api_keys))
        with bound:
            number = bound.getsockname()[1]
            server.serve(chosen, bound, host, on_start=lambda node: click.echo(banner(chosen, host, number, node)))
    except (server.CannotServe, RunsteadError) as error:
        raise click.ClickException(str(error)) from None
    sys.stdout.flush()
