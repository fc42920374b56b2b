"""Tables of results: on the terminal, and as Markdown and JSON in `benchmarks/results/`."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

RESULTS = Path(__file__).parents[1] / "results"
_WIDTH = 132
"""For logs: rich would cut tables to 80 columns where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table; every cell is text."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = ()
    """Sentences below it: what was run, and what the figures mean."""

    def markdown(self) -> str:
        """Return it as Markdown."""
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return "\n\n".join((f"## {self.title}", body, *self.notes)) + "\n"


def publish(name: str, tables: Sequence[Table]) -> None:
    """Print tables, and write `results/{name}.md` and `.json`."""
    console = Console(width=None if Console().is_terminal else _WIDTH)
    for table in tables:
        shown = RichTable(title=table.title, title_justify="left")
        for number, column in enumerate(table.columns):
            shown.add_column(column, justify="right" if number else "left")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
        for note in table.notes:
            console.print(note, style="dim", highlight=False)
    RESULTS.mkdir(exist_ok=True)
    heading = f"# {name}: {_machine()}\n\n"
    (RESULTS / f"{name}.md").write_text(heading + "\n".join(t.markdown() for t in tables))
    (RESULTS / f"{name}.json").write_text(json.dumps([asdict(t) for t in tables], indent=1))


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"
