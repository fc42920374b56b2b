"""Replays every kept fuzzing input through its harness."""

import importlib
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[2] / "fuzz"
HARNESSES = sorted(path.stem.removeprefix("fuzz_") for path in FUZZ.glob("fuzz_*.py"))
SEEDS = sorted((FUZZ / "corpus").glob("*/*"))


@pytest.mark.parametrize(
    "seed", [pytest.param(path, id=f"{path.parent.name}-{path.name}") for path in SEEDS]
)
def test_harness_invariant_holds_for_its_corpus(seed: Path) -> None:
    harness = importlib.import_module(f"tests.fuzz.fuzz_{seed.parent.name}")
    harness.check(seed.read_bytes())


@pytest.mark.parametrize("name", HARNESSES)
def test_harness_keeps_seeds(name: str) -> None:
    assert any((FUZZ / "corpus" / name).iterdir())
