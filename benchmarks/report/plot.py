"""The plot of hits: rate and CPU of every server, by size."""

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.report.measured import Results


def draw_hits(results: Results, file: Path) -> None:
    """Draw answers a second and CPU per answer as grouped bars, on logarithmic scales."""
    figure = Figure(figsize=(13, 9), layout="constrained")
    for place, (field, title) in enumerate(
        (("rate", "answers a second"), ("cpu_us", "CPU of the server for one answer, us")), start=1
    ):
        axes = figure.add_subplot(2, 1, place)
        servers = list(dict.fromkeys(name for found in results.values() for name in found))
        width = 0.85 / len(servers)
        for number, server in enumerate(servers):
            places = [index for index, found in enumerate(results.values()) if server in found]
            heights = [getattr(f[server], field) for f in results.values() if server in f]
            axes.bar([index + number * width for index in places], heights, width, label=server)
        axes.set_yscale("log")
        axes.set_ylabel(title)
        axes.set_xticks([index + 0.425 for index in range(len(results))], list(results))
        axes.grid(axis="y", alpha=0.3)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right upper")
    figure.savefig(file, dpi=110)
