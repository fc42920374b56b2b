"""Entry point of the command line: the commands and the options common to them."""

import sys
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import cid, config, replay, scrub, serve, stats, upkeep
from gateway.cli.terminal import FAILED, complain, examples, open_missing_streams, say

app = typer.Typer(
    name="ipfs-gateway",
    help="A caching IPFS HTTP gateway that verifies every block and needs no IPFS node.",
    epilog=examples(
        "ipfs-gateway demo",
        "ipfs-gateway serve --config gateway.toml",
        "ipfs-gateway COMMAND --help",
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (serve, config, cid, stats, upkeep, scrub, replay):
    command.register(app)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 (typer calls it so)
    if wanted:
        say(f"ipfs-gateway {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that come before a command."""


def main() -> None:
    """Run one command."""
    open_missing_streams()
    try:
        app()
    except OSError as exc:  # of what is printed: `> /dev/full`
        complain([exc])
        sys.exit(FAILED)
