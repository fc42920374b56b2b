"""Every task that is not kept by `gateway.background` ends by itself (issue 12, 13).

A bare task that has to go on would end unseen with its first error.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gateway"
KEEPER = "background.py"

# Where tasks begin that are not kept, and what they end with.
BARE = {
    "naming/hosts.py find": "the answer of the DNS, within its lifetime",
    "naming/shared.py _ask": "one command of Redis, within LATE_S",
    "naming/single_flight.py begin": "one search",
    "net/address_cache.py _wait": "one question to the DNS",
    "net/resend.py _try_again": "one request",
    "processes/serving.py __init__": "the listener; `ended` tells who waits for that",
    "processes/serving.py start": "the listener's start, or its failure",
    "processes/stopping.py first_of": "the first of several waits",
    "processes/supervisor.py _live": "the worker; it kills one that it cannot watch",
    "processes/worker.py _answer": "one order, or the connection to the parent",
    "processes/worker_process.py __init__": "the channel to a worker, which is watched for answers",
    "upkeep/warm.py begin": "one job; the sweep with the last of them",
    "upstream/balancing/health_check.py _begin": "one check",
    "upstream/balancing/health_check.py _lasting_fault": "one probe",
    "upstream/balancing/holders.py find": "one question to each node",
    "upstream/records.py _start": "one question to an upstream",
    "upstream/retrieval/disk_readahead.py _look_ahead": "one batch of blocks",
    "upstream/retrieval/fetch.py _launch": "one fetch",
    "web/hot/body_builder.py offer": "one body",
    "web/send.py start": "the request",
}


def _tasks_of(module: Path) -> set[str]:
    """Return the functions of a module that begin tasks, as `module function`."""
    found: set[str] = set()
    for function in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
            names = {node.attr for node in calls if isinstance(node, ast.Attribute)}
            if names & {"create_task", "ensure_future"}:
                found.add(f"{module.relative_to(PACKAGE).as_posix()} {function.name}")
    return found


FOUND = {name for module in PACKAGE.rglob("*.py") for name in _tasks_of(module)}


@pytest.mark.parametrize("name", sorted(FOUND))
def test_a_task_is_kept_or_ends_by_itself(name: str) -> None:
    assert name.startswith(KEEPER) or name in BARE


def test_no_reason_is_left_of_a_task_that_is_gone() -> None:
    assert BARE.keys() <= FOUND
