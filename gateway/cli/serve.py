"""`serve` and `demo`: run a gateway in the foreground until a signal ends it."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.settings_file import load_settings, warnings_about
from gateway.cli.terminal import announce, examples, say, told_errors
from gateway.settings import PUBLIC_UPSTREAMS, Settings

_log = logging.getLogger("gateway.serve")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(
        "serve",
        epilog=examples(
            "ipfs-gateway serve --config gateway.toml",
            "ipfs-gateway serve --config gateway.toml --check",
            "GATEWAY_SERVER__LISTEN=127.0.0.1:9000 ipfs-gateway serve",
        ),
    )(serve)
    app.command(
        "demo",
        epilog=examples(
            "ipfs-gateway demo",
            "GATEWAY_SERVER__LISTEN=127.0.0.1:9000 ipfs-gateway demo",
        ),
    )(demo)


def serve(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="A TOML file.", show_default="none")
    ] = None,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Check the configuration and exit.")
    ] = False,
) -> None:
    """Serve content from the configured upstreams, or from public gateways if there are none.

    Every setting of the file can also come from the environment, as GATEWAY_SECTION__KEY.
    """
    with told_errors():
        settings = load_settings(config, os.environ)
        if check:
            say("configuration: ok")
            return
        _run(settings, config)


def demo() -> None:
    """Serve a small site, a video and a large directory from an upstream on this machine."""
    from gateway.demo.runner import run_demo  # noqa: PLC0415 (other commands start without it)

    with told_errors():
        run_demo(load_settings(None, os.environ), _run, sys.stdout)


def _run(settings: Settings, config: Path | None = None) -> None:
    # Importing every library takes half a second, which commands that only print do not pay.
    from gateway.ops.logs import configure  # noqa: PLC0415
    from gateway.processes import process  # noqa: PLC0415

    configure(settings.log)
    for warning in warnings_about(config, settings):
        _log.warning(warning)
    if not settings.upstreams:
        names = ", ".join(upstream.url for upstream in PUBLIC_UPSTREAMS)
        _log.warning("no upstream is configured: fetching from public gateways (%s)", names)
    process.serve(settings, announce)
