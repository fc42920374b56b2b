"""The house keeps its shape: layers, budgets, a test for every file, libraries in their rooms."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gateway import __version__
from gateway.cli import app

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "gateway"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path.relative_to(PACKAGE).as_posix() for path in SOURCES]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50

# Sources whose tests have another name, and why.
TESTED_ELSEWHERE = {
    # Declarations: nothing to run but what the users of each class test.
    "errors.py": "unit/web/test_problem.py",
    "ports/blocks.py": "fakes/store.py",
    "ports/denials.py": "unit/guard/test_denylist.py",
    "ports/names.py": "fakes/names.py",
    "ports/upkeep.py": "unit/cache/test_control.py",
    "ports/watch.py": "fakes/observer.py",
    "ports/world.py": "fakes/clock.py",
    "cache/disk/commands.py": "unit/cache/disk/test_writer.py",
    "cache/states.py": "unit/cache/disk/test_reader.py",
    # One door: the table of wrong settings goes through `parse_settings`.
    "settings/checks.py": "unit/settings/test_parse.py",
    "settings/kinds.py": "unit/settings/test_parse.py",
    "settings/sections.py": "architecture/test_settings.py",
    # Steps of one request: tested as requests, from the path to the reply.
    "pipeline/cars.py": "unit/pipeline/test_pipeline.py",
    "pipeline/documents.py": "unit/pipeline/test_pipeline.py",
    "pipeline/contents.py": "unit/pipeline/test_pipeline.py",
    "pipeline/drive.py": "unit/pipeline/test_pipeline.py",
    "pipeline/files.py": "unit/pipeline/test_pipeline.py",
    "pipeline/reply.py": "unit/pipeline/test_pipeline.py",
    "pipeline/websites.py": "unit/web/test_routing.py",
    "pipeline/tars.py": "unit/pipeline/test_pipeline.py",
    "web/clients.py": "unit/web/test_app.py",
    "web/exchange.py": "unit/web/test_app.py",
    "web/connection/request_reader.py": "unit/web/connection/test_http_connection.py",
    "web/hot/responder.py": "unit/web/test_app.py",
    "web/hot/recorder.py": "unit/web/hot/test_hot_connection.py",
    "web/hot/sendfile.py": "unit/web/hot/test_hot_connection.py",
    "web/observer.py": "unit/web/test_app.py",
    # Whole processes.
    "wiring/operators.py": "unit/cli/test_serve.py",
    "__main__.py": "unit/cli/test_main.py",
}

# Libraries that each room may use, beside the standard library. typing_extensions has `override`,
# which typing has from 3.12 on; orjson writes bytes, where json writes text.
EVERYWHERE = {"typing_extensions"}
LIBRARIES = {
    "admin": {"jinja2", "orjson", "starlette"},
    "cache": {"obstore"},
    "cli": {"httpx", "orjson", "rich", "typer"},
    "content": {"blake3", "cryptography", "mmh3", "multiformats", "yaml"},
    "demo": {"rich", "starlette", "uvicorn", "uvloop"},
    "guard": {"limits"},
    "naming": {"aiocache", "dns", "redis"},
    "net": {"aiohttp"},
    "processes": {"orjson", "uvicorn", "uvloop"},
    "shared_redis.py": {"redis"},
    "ops": {"geoip2", "maxminddb", "orjson", "prometheus_client", "structlog"},
    "upstream": {"aiohttp", "yarl"},
    "web": {"httptools", "jinja2", "markupsafe", "orjson", "starlette", "uvicorn"},
    "wiring": {"orjson", "uvicorn", "uvloop"},
}

COMMANDS = typer.main.get_group(app)
COMMAND_NAMES = sorted(COMMANDS.list_commands(typer.Context(COMMANDS)))


def parse(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def libraries_of(module: str) -> set[str]:
    """Return the top-level names of all packages that a module imports from elsewhere."""
    names: set[str] = set()
    for node in ast.walk(parse(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"gateway"}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_what_it_is_for(module: str) -> None:
    assert ast.get_docstring(parse(module))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_fits_its_budget(module: str) -> None:
    functions = [
        node
        for node in ast.walk(parse(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]

    long = [f.name for f in functions if (f.end_lineno or 0) - f.lineno >= MAX_FUNCTION_LINES]

    assert long == []
    assert len((PACKAGE / module).read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("module", [m for m in MODULES if not m.endswith("__init__.py")])
def test_a_module_has_its_test_file(module: str) -> None:
    folder, _, name = f"unit/{module}".rpartition("/")

    assert (ROOT / "tests" / TESTED_ELSEWHERE.get(module, f"{folder}/test_{name}")).is_file()


@pytest.mark.parametrize("module", TESTED_ELSEWHERE)
def test_an_exception_is_still_needed(module: str) -> None:
    folder, _, name = f"unit/{module}".rpartition("/")

    assert module in MODULES
    assert not (ROOT / "tests" / folder / f"test_{name}").exists()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_uses_the_libraries_of_its_room(module: str) -> None:
    room = module.partition("/")[0]

    assert libraries_of(module) <= LIBRARIES.get(room, set()) | EVERYWHERE


def test_imports_point_down_the_page() -> None:
    done = subprocess.run(  # noqa: S603 (the linter of this environment)
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_the_changelog_begins_with_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)

    assert versions[0] == __version__


@pytest.mark.parametrize("command", COMMAND_NAMES)
def test_the_help_of_a_command_has_examples(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])

    _, _, examples = result.stdout.partition("Examples:")
    assert result.exit_code == 0
    assert f"ipfs-gateway {command}" in examples


@pytest.mark.parametrize("command", COMMAND_NAMES)
def test_the_readme_names_each_command(command: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert {"demo": "make serve"}.get(command, f"ipfs-gateway {command}") in readme
