"""What was promised, beside what was measured."""

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.report.tables import Table


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise, and whether a run kept it."""

    text: str
    measured: str
    is_held: bool


def promises_table(promises: Iterable[Promise]) -> Table:
    """Return the table of all promises that a run could check."""
    rows = [(one.text, one.measured, "held" if one.is_held else "MISSED") for one in promises]
    return Table("Bars", ("promise", "measured", "verdict"), rows)
