"""An evaluation as a picture: scores of each kind of question, and what abstaining more would change."""

import io
from pathlib import Path
from typing import Any

from kb.errors import ConfigError, InputError
from kb.files import write_file

__all__ = ["check_plot", "plot_evaluation"]

FORMATS = (".png", ".svg", ".pdf")
SHOWN = ("hit@1", "hit@5", "evidence@800")


def check_plot(file: Path) -> None:
    """Makes sure that a plot can be drawn, before anything is evaluated.

    Raises:
        ConfigError: matplotlib is not installed.
        InputError: the file is to be of another format.
    """
    try:
        import matplotlib as mpl
    except ImportError as problem:
        raise ConfigError(
            "A plot needs matplotlib: run `pip install 'guide[plots]'`, or leave --plot out."
        ) from problem
    if file.suffix.casefold() not in FORMATS:
        raise InputError(f"{file}: plots are written as {', '.join(FORMATS)}. Give the file such a name.")
    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "guide"


def plot_evaluation(report: dict[str, Any], file: Path) -> None:
    """Draws a report of `evaluation_report`.

    Raises:
        InputError: the file can't be written.
    """
    from matplotlib import pyplot as plt

    kind, drawn = file.suffix.casefold().removeprefix("."), io.BytesIO()
    figure, (bars, curve) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", width_ratios=(3, 2))
    try:
        _draw_kinds(bars, report)
        _draw_abstaining(curve, report["abstaining"])
        figure.savefig(drawn, format=kind, metadata={"Date": None} if kind == "svg" else None)
    finally:
        plt.close(figure)
    write_file(file, drawn.getvalue())


def _draw_kinds(axes: Any, report: dict[str, Any]) -> None:
    """A bar for each measure, of all questions and of each kind."""
    groups = {"all": report, **report["kinds"]}
    kinds = [name for name, scores in groups.items() if scores["search"]["questions"]]
    width = 0.8 / (len(SHOWN) + 1)
    for place, measure in enumerate(SHOWN):
        heights = [groups[name]["search"][measure] for name in kinds]
        axes.bar([at + width * place for at in range(len(kinds))], heights, width, label=measure)
    answered = [name for name in kinds if groups[name].get("ask", {}).get("answerable")]
    if answered:
        heights = [groups[name]["ask"]["fact_recall@300"] for name in answered]
        axes.bar([kinds.index(name) + width * len(SHOWN) for name in answered], heights, width, label="fact recall@300")
    labels = [f"{name or '-'}\n{groups[name]['search']['questions']}" for name in kinds]
    axes.set_xticks([at + 0.3 for at in range(len(kinds))], labels)
    axes.set(ylim=(0, 1.05), title="Scores, with the number of questions")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(loc="lower left", fontsize="small")


def _draw_abstaining(axes: Any, points: list[dict[str, float | None]]) -> None:
    """What share is answered against what share of that is right, over all thresholds."""
    shown = [point for point in points if point["right"] is not None]
    answered, right = ([point[name] for point in shown] for name in ("answered", "right"))
    axes.plot(answered, right, "o-", markersize=4)
    for point in shown:
        if point["threshold"] in {0.25, 0.5, 0.75}:
            axes.annotate(
                f"{point['threshold']}", (point["answered"], point["right"]), (4, 4), textcoords="offset points"
            )
    axes.set(
        xlabel="share answered",
        ylabel="share of these whose evidence was found",
        title="Abstaining below a probability",
    )
    axes.grid(alpha=0.3)
