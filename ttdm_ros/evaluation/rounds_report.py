"""The report over rounds: one HTML page that needs nothing but itself."""

from typing import TYPE_CHECKING

from ttdm_ros.commands.terminal import make_table
from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.drawing import BLUE, GREEN, GREY, ORANGE, RED, SKY, VIOLET, Canvas
from ttdm_ros.evaluation.page import render_page
from ttdm_ros.evaluation.rounds import Round, Rounds, RoundsFolder

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = ("round", "RMSE [mm]", "change", "samples", "position [mrad]", "velocity [rad/s]", "cost of errors")
_COLOURS = (BLUE, ORANGE, GREEN, RED, VIOLET, SKY)
_ERRORS = (  # key of ``ttdm train``, factor, axis
    ("position_rmse_last_step", 1e3, "position [mrad]"),
    ("velocity_rmse_last_step", 1.0, "velocity [rad/s]"),
    ("cost_of_errors", 1.0, "cost of errors"),
)
_UNKNOWN = "–"


def as_table(rounds: Rounds) -> "Table":
    """Return the rounds as a table for the terminal."""
    return make_table("tip error and validation errors over the rounds", HEADINGS, table_rows(rounds))


def table_rows(rounds: Rounds) -> list[tuple[str, ...]]:
    """Return a row a round."""
    rows, before = [], None
    for each in rounds.rounds:
        samples = sum(each.samples.values())
        rows.append(
            (
                f"{each.number}" + " (best)" * (each is rounds.best_round),
                f"{each.rmse_mm:.2f}",
                _UNKNOWN if before is None else f"{each.rmse_mm / before - 1.0:+.0%}",
                f"{samples}" if samples else _UNKNOWN,
                *(_cell(each, key, factor) for key, factor, _ in _ERRORS),
            )
        )
        before = each.rmse_mm
    return rows


def write_rounds_report(rounds: Rounds, folder: RoundsFolder) -> None:
    """Write the page; one that is there is replaced.

    Raises:
        TtdmError: the file cannot be written.
    """
    try:
        folder.report.write_text(render_rounds_report(rounds, folder), encoding="utf-8")
    except OSError as error:
        raise TtdmError(
            f"the report {folder.report} cannot be written ({error.strerror}); choose another folder"
        ) from error


def render_rounds_report(rounds: Rounds, folder: RoundsFolder) -> str:
    """Return the page as text."""
    run = rounds.run
    return render_page(
        "improve.html",
        title=f"{len(rounds.rounds)} rounds of improvement of {run.robot}",
        about={
            "tasks": ", ".join(run.tasks),
            "plant": run.plant or "already up",
            "first model": run.model,
            "exploration": f"{run.exploration:.0%}",
            "best model": rounds.best or _UNKNOWN,
        },
        ended=rounds.ended,
        problem=rounds.problem,
        headings=HEADINGS,
        rows=table_rows(rounds),
        tip=_tip(rounds) if rounds.rounds else None,
        errors=_errors(rounds) if any(each.validation for each in rounds.rounds) else None,
        rounds=[_links(each, folder) for each in rounds.rounds],
    )


def _tip(rounds: Rounds) -> str:
    canvas = Canvas(11.0, 3.0)
    with canvas as figure:
        axes = figure.subplots(1, 1)
        numbers = [each.number for each in rounds.rounds]
        for i, task in enumerate(rounds.run.tasks):
            values = [each.rmse_by_task[task] for each in rounds.rounds]
            axes.plot(numbers, values, marker="o", markersize=4, color=_COLOURS[i % len(_COLOURS)], label=task)
        axes.set_xticks(numbers)
        axes.set_ylim(bottom=0.0)
        axes.set_xlabel("round")
        axes.set_ylabel("RMSE of the tip [mm]")
        axes.legend(loc="upper right")
    return canvas.svg("tip")


def _errors(rounds: Rounds) -> str:
    trained = [each for each in rounds.rounds if each.validation]
    canvas = Canvas(11.0, 3.0)
    with canvas as figure:
        for axes, (key, factor, label) in zip(figure.subplots(1, len(_ERRORS)), _ERRORS, strict=True):
            known = [each for each in trained if key in each.validation]
            values = [factor * each.validation[key] for each in known]
            axes.bar([each.number for each in known], values, 0.6, color=GREY)
            axes.set_xticks([each.number for each in trained])
            axes.set_xlabel("round")
            axes.set_ylabel(label)
    return canvas.svg("errors")


def _cell(each: Round, key: str, factor: float) -> str:
    return f"{factor * each.validation[key]:.4g}" if key in each.validation else _UNKNOWN


def _links(each: Round, folder: RoundsFolder) -> dict[str, object]:
    """Return what the page tells of a round, with those of its own pages that are there."""
    home = folder.round(each.number)
    pages = [page for page in (home / "model" / "report.html", *sorted(home.glob("check*.html"))) if page.is_file()]
    names = {page.relative_to(folder.path).as_posix(): "training" if page.stem == "report" else "run" for page in pages}
    return {
        "number": each.number,
        "model": each.model,
        "fingerprint": each.fingerprint,
        "bags": ", ".join(each.bags) or _UNKNOWN,
        "pages": names,
    }
