"""Texts tell the truth about the code: names, files, trees and classes that they speak of exist."""

import ast
import importlib
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from gateway import errors
from gateway.demo.pack import DEMO_ROOT
from gateway.demo.site import VIDEO_PATH
from gateway.demo.video import video_pieces

ROOT = Path(__file__).parents[2]
FOLDERS = (".ci", "benchmarks", "config", "docs", "gateway", "nginx", "tests")
TEXT_KINDS = {"", ".conf", ".css", ".html", ".md", ".py", ".sh", ".toml"}
SUFFIXES = "py|md|toml|conf|html|css|lock|json"

# Where a relative path in a text may begin, beside the folder of the text.
BASES = ("", "gateway", "tests", "benchmarks")
# Made by commands, so not in a fresh checkout.
MADE = ("build/", "benchmarks/results/")
# Without a folder these may be files that the gateway writes.
WRITTEN = (".json", ".lock")
# Pages that the authors had and a reader has not: the text gives the fact or a public source.
OUTSIDE = re.compile(
    r"\b(?:spec|platform|reliability|performance|components|design|style|house|brief)\.md\b"
    r"|\bnotes\s+of\s+the\s+design\b|\bperformance\s+notes\b|(?<!by )\bdesign:"
    r"|\bthe\s+design\s+(?:has|had|names|says|wants|gives)\b|\bfor\s+the\s+design\b",
    re.IGNORECASE,
)
LINK = re.compile(r"\]\(([^()\s]+)\)")
FILE_NAME = re.compile(rf"`([\w./-]+\.(?:{SUFFIXES}))`")
DOTTED_NAME = re.compile(r"(?:`|python -m )((?:gateway|tests|benchmarks)(?:\.\w+)+)")
# A branch of the drawing: its depth is where the "+--" begins.
BRANCH = re.compile(r"^([ |]*)\+-- (\w+)")
PRODUCTION = re.compile(r"Production: ([^.]*`[^`]+`(?: (?:and|or) `[^`]+`)*)")


def find_texts() -> list[str]:
    """Return the paths of all texts that we write; lock files and the licence are not ours."""
    files = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        files += (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return sorted(
        path.relative_to(ROOT).as_posix()
        for path in files
        if path.suffix in TEXT_KINDS
        and path.name != "LICENSE"
        and not path.name.startswith(".git")
        and not {"__pycache__", "data", "corpus", "results"} & set(path.parts)
        and path != Path(__file__)
    )


TEXTS = find_texts()
FILE_NAMES = {name.rpartition("/")[2] for name in TEXTS}
PYTHON = [name for name in TEXTS if name.endswith(".py")]
PROSE = [name for name in TEXTS if name.endswith((".md", ".py"))]


@cache
def read(name: str) -> str:
    """Return a whole text."""
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def read_prose(name: str) -> str:
    """Return a page, or the docstrings and comments of a module."""
    text = read(name)
    if not name.endswith(".py"):
        return text
    found = [
        node.value.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]
    found += [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    ]
    return "\n".join(found)


def can_be_found(target: str, text: str) -> bool:
    """Whether a file that a text names is there."""
    if target.startswith(MADE):
        return True
    if "/" not in target:
        return target in FILE_NAMES
    places = [ROOT / text, *(ROOT / base / "x" for base in BASES)]
    return any((place.parent / target).exists() for place in places)


def find_named(dotted: str) -> Any:
    """Return the module, class or attribute of that name.

    Raises:
        AttributeError, ModuleNotFoundError: there is none.
    """
    parts = dotted.split(".")
    found = importlib.import_module(parts[0])
    for at, part in enumerate(parts[1:], 2):
        if not hasattr(found, part) and inspect.ismodule(found):
            importlib.import_module(".".join(parts[:at]))
        found = getattr(found, part)
    return found


def draw_classes(root: type, depth: int = 0) -> Iterator[tuple[int, str]]:
    """Yield the depth and the name of each class below `root` in its own module, as in a tree."""
    child: type
    for child in root.__subclasses__():
        if child.__module__ == root.__module__:
            yield depth, child.__name__
            yield from draw_classes(child, depth + 1)


def read_tree(drawing: str) -> list[tuple[int, str]]:
    """Return the depth and the name of each branch of a drawing."""
    branches = [BRANCH.match(line) for line in inspect.cleandoc(drawing).splitlines()]
    marks = [(len(branch[1]) // 4, branch[2]) for branch in branches if branch]
    top = min(depth for depth, _ in marks)
    return [(depth - top, name) for depth, name in marks]


def test_the_tree_of_errors_is_the_one_of_the_classes() -> None:
    """Issue 13, 6: PinsFull was missing."""
    drawing = read_tree(errors.__doc__ or "")

    assert with_parents(drawing) == with_parents(list(draw_classes(errors.GatewayError)))
    assert len(drawing) == len(dict(with_parents(drawing)))


def with_parents(tree: list[tuple[int, str]]) -> list[tuple[str, str]]:
    """Return each class with its parent, sorted: the order on the page is free."""
    path: list[str] = []
    pairs = []
    for depth, name in tree:
        path[depth:] = [name]
        pairs.append((name, path[depth - 1] if depth else ""))
    return sorted(pairs)


def test_no_text_refers_to_a_page_outside_of_the_repository() -> None:
    """Issue 13, 6: "reliability.md 6" is a page that no reader has."""
    assert [(name, match[0]) for name in TEXTS for match in OUTSIDE.finditer(read(name))] == []


def test_the_readme_begins_with_the_root_of_the_demo() -> None:
    """The video and the length of its range are those that `make serve` serves."""
    example = read("README.md").partition("## ")[0]
    video = f"/ipfs/{DEMO_ROOT}/{'/'.join(VIDEO_PATH)}"

    assert video in example
    assert f"bytes 50000000-50000099/{sum(map(len, video_pieces()))}" in example


def test_each_link_leads_to_a_file() -> None:
    links = [
        (name, link.partition("#")[0])
        for name in TEXTS
        if name.endswith(".md")
        for link in LINK.findall(read(name))
        if not re.match(r"[a-z]+:|#", link)
    ]

    assert [(name, link) for name, link in links if not is_beside(link, name)] == []
    assert links


def is_beside(link: str, name: str) -> bool:
    """Whether a link of a page leads to a file or a folder."""
    return (ROOT / name).parent.joinpath(link).exists()


def test_each_file_that_a_text_names_exists() -> None:
    named = [
        (name, target)
        for name in PROSE
        for target in FILE_NAME.findall(read_prose(name))
        if "/" in target or not target.endswith(WRITTEN)
    ]

    assert [(name, target) for name, target in named if not can_be_found(target, name)] == []
    assert named


def test_each_module_or_class_that_a_text_names_exists() -> None:
    named = [
        (name, dotted)
        for name in PROSE
        for dotted in DOTTED_NAME.findall(read_prose(name))
        if not is_file(dotted)
    ]

    assert [(name, dotted) for name, dotted in named if not is_there(dotted)] == []
    assert named


def is_file(dotted: str) -> bool:
    """Whether a dotted name is that of a file: `gateway.toml`."""
    return bool(re.search(rf"\.(?:{SUFFIXES})$", dotted))


def is_there(dotted: str) -> bool:
    """Whether a module, class or attribute can be found by its name."""
    try:
        find_named(dotted)
    except (AttributeError, ModuleNotFoundError):
        return False
    return True


class Promise(NamedTuple):
    """What a docstring says of a Protocol: that a class of production fits it."""

    module: str
    protocol: str
    production: str


def find_promises() -> Iterator[Promise]:
    """Yield what each docstring says of a Protocol."""
    for name in PYTHON:
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for node in ast.walk(ast.parse(read(name))):
            if isinstance(node, ast.ClassDef):
                for told in PRODUCTION.findall(" ".join((ast.get_docstring(node) or "").split())):
                    yield from read_promise(module, node.name, re.findall(r"`([^`]+)`", told))


def read_promise(module: str, protocol: str, classes: list[str]) -> Iterator[Promise]:
    """Yield a promise for each class; one without a module is in that of the first."""
    home = classes[0].rpartition(".")[0]
    for production in classes:
        yield Promise(module, protocol, production if "." in production else f"{home}.{production}")


PROMISES = list(find_promises())


def test_each_line_about_production_is_read() -> None:
    lines = sum(read_prose(name).count("Production: ") for name in PYTHON)

    assert len({(promise.module, promise.protocol) for promise in PROMISES}) == lines > 0


@pytest.mark.parametrize("promise", PROMISES, ids=lambda told: f"{told.protocol}-{told.production}")
def test_the_class_of_production_fits_its_protocol(promise: Promise) -> None:
    """Each public method and attribute is there and takes the same arguments; mypy checks types."""
    protocol = find_named(f"{promise.module}.{promise.protocol}")
    production = find_named(promise.production)

    assert isinstance(production, type)
    assert find_misfits(protocol, production) == []


def find_misfits(protocol: type, production: type) -> list[str]:
    """Return the members of a Protocol that a class lacks, or that take other arguments."""
    has = find_attributes(production)
    bad = []
    for name, member in find_members(protocol).items():
        own = inspect.getattr_static(production, name, None)
        is_method = inspect.isfunction(member) and inspect.isfunction(own)
        if name not in has or (is_method and not accepts(own, member)):
            bad.append(name)
    return bad


def find_members(protocol: type) -> dict[str, Any]:
    """Return the public methods, properties and attributes that a Protocol asks for."""
    parts = [part for part in protocol.__mro__ if getattr(part, "_is_protocol", False)]
    members: dict[str, Any] = {}
    for part in parts:
        for name in {**vars(part), **inspect.get_annotations(part)}:
            if not name.startswith("_") and part is not Protocol:
                members.setdefault(name, vars(part).get(name))
    return members


def find_attributes(production: type) -> set[str]:
    """Return all names that objects of a class have: those that its methods set, too."""
    names = set(dir(production))
    for part in production.__mro__:
        names |= inspect.get_annotations(part).keys()
        if part.__module__.partition(".")[0] in {"gateway", "tests"}:
            names |= {
                node.attr
                for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(part))))
                if isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id == "self"
            }
    return names


def accepts(own: Any, asked: Any) -> bool:
    """Whether a function takes what another one takes: the fewest arguments, and all of them."""
    parameters = list(inspect.signature(asked).parameters.values())
    needed = [p for p in parameters if p.default is p.empty]
    return all(can_be_called(own, some) for some in (needed, parameters))


def can_be_called(own: Any, parameters: list[inspect.Parameter]) -> bool:
    """Whether a function takes these: by position, and by name, too.

    A parameter that begins with "_" is not used, and cannot be given by name.
    """
    positional = [p for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    named = {p.name: None for p in parameters if p.kind is p.KEYWORD_ONLY}
    signature = inspect.signature(own)
    unnamed = 1 + sum(name.startswith("_") for name in signature.parameters)
    by_name = {p.name: None for p in positional[unnamed:] if p.kind is p.POSITIONAL_OR_KEYWORD}
    try:
        signature.bind(*positional, **named)
        signature.bind(*positional[: len(positional) - len(by_name)], **by_name, **named)
    except TypeError:
        return False
    return True


class Asked(Protocol):
    """What the class below is held against."""

    last: int

    def find(self, key: str, *, is_scan: bool = False) -> None: ...


class Fitting:
    """Takes more than is asked for."""

    def __init__(self) -> None:
        self.last = 0

    def find(self, key: str, *, is_scan: bool = False, more: int = 0) -> None: ...


class Renamed:
    """A parameter has another name, so a call by name fails."""

    last = 0

    def find(self, name: str, *, is_scan: bool = False) -> None: ...


class Narrow:
    """A parameter is missing, and so is the attribute."""

    def find(self, key: str) -> None: ...


def test_a_misfit_is_seen() -> None:
    assert find_misfits(Asked, Fitting) == []
    assert find_misfits(Asked, Renamed) == ["find"]
    assert sorted(find_misfits(Asked, Narrow)) == ["find", "last"]


def test_each_decision_is_in_the_index() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    index, _, decisions = text.partition("\n## Index\n")[2].partition("\n## ")
    titles = re.findall(r"^### (.*)$", decisions, re.MULTILINE)

    assert [title.partition(". ")[0] for title in titles] == [
        str(number) for number in range(1, len(titles) + 1)
    ]
    assert re.findall(r"^- \[(.*)\]\(#.*\)$", index, re.MULTILINE) == titles
