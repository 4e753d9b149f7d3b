"""The result of a study on disk: tables, figures, page, and figures for programs."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ttdm_ros import __version__
from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.drawing import Canvas
from ttdm_ros.evaluation.page import render_page
from ttdm_ros.evaluation.study import findings
from ttdm_ros.evaluation.study.config import StudyConfig, name_of
from ttdm_ros.evaluation.study.figures import Figures
from ttdm_ros.evaluation.study.folder import StudyFolder
from ttdm_ros.evaluation.study.statistics import ENOUGH_SEEDS, Row, select
from ttdm_ros.evaluation.study.weights import draw_weights

_COLUMNS = (
    ("weighting", "weighting"),
    ("seeds", "seeds"),
    ("median", "median excess"),
    ("p90", "90 % below"),
    ("mean", "mean of completed drives"),
    ("failures", "failed"),
    ("reduction_value", "reduction"),
    ("reduction_interval", "95 % interval"),
    ("paired_value", "drive by drive"),
    ("paired_interval", "95 % interval"),
    ("p_value", "signed-rank p, over seeds"),
    ("rmse_mm", "RMSE of completed drives [mm]"),
    ("error_one_step", "error, 1 step"),
    ("error_last_step", "error, p steps"),
    ("cost_of_errors", "cost of errors"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    title: str
    text: str
    plot: str


def write_report(study: StudyConfig, folder: StudyFolder, rows: Sequence[Row], *, command: str) -> Path:
    """Write ``runs.csv`` (a line a drive), ``table.csv``, ``summary.json``, a PNG a figure, and ``report.html``.

    Args:
        study: what was compared.
        folder: of the study.
        rows: a row a drive.
        command: that made it, as it was typed.

    Returns:
        The page.

    Raises:
        TtdmError: a file cannot be written.
    """
    lines = findings.table(rows)
    figures = Figures(study, rows)
    drawn: list[tuple[str, str, str, Canvas | None]] = [
        ("reduction", "Reduction by the length of the rollouts", _REDUCTION, figures.reduction_by_p()),
        ("capacity", "Capacity", _CAPACITY + _seeds(study, rows, "capacity"), figures.excess_by_capacity()),
        ("data", "Data", _DATA + _seeds(study, rows, "data"), figures.excess_by_data()),
        ("mismatch", "Prediction error and cost of control", _MISMATCH, figures.mismatch()),
        ("local", "Local and averaged sensitivities", _LOCAL, figures.local_against_mean()),
        ("rounds", "Rounds", _ROUNDS, figures.rounds()),
        ("weights", "What matters", _WEIGHTS, draw_weights(study, folder)),
        ("variants", "What decides", _VARIANTS + _seeds(study, rows, "variants"), figures.variants()),
    ]
    page = folder.path / "report.html"
    try:
        for name, _, _, canvas in drawn:
            if canvas is not None:
                (folder.path / f"{name}.png").write_bytes(canvas.png)
        _write_csv(folder.path / "runs.csv", rows)
        _write_csv(folder.path / "table.csv", lines)
        about = {"version": __version__, "command": command, "seconds": round(folder.seconds)}
        folder.write(folder.path / "summary.json", about | findings.summary(study, rows))
        sections = [
            _Section(title=title, text=text, plot=canvas.svg(name)) for name, title, text, canvas in drawn if canvas
        ]
        page.write_text(_render(study, rows, lines, sections, command, folder.seconds), encoding="utf-8")
    except OSError as error:
        raise TtdmError(f"{folder.path} cannot be written ({error.strerror}); make room or choose another") from error
    return page


def _render(
    study: StudyConfig,
    rows: Sequence[Row],
    lines: Sequence[Row],
    sections: list[_Section],
    command: str,
    seconds: float,
) -> str:
    tables = {
        "The stated setting": findings.stated(study, lines),
        **{
            f"The same models on the plant {name_of(plant)}, which no model was trained on": findings.stated(
                study, lines, plant=name_of(plant)
            )
            for plant in study.other_plants
        },
        "Without the nominal arm (structure full)": select(lines, experiment="full"),
    }
    return render_page(
        "study.html",
        title=f"What a weighting is worth: {study.robot}",
        about={
            "command": command,
            "time": f"{seconds / 60.0:.0f} min",
            "network": "-".join(map(str, study.specification.layer_sizes)),
            "plant": study.plant_name,
            "seeds": str(len(study.seeds)),
            "drives": str(len(rows)),
            "failed": str(sum(not row["completed"] for row in rows)),
        },
        claims=findings.claims(study, rows),
        headings=[heading for _, heading in _COLUMNS],
        tables={title: [_cells(line) for line in own] for title, own in tables.items() if own},
        sections=sections,
    )


def _cells(line: dict[str, Any]) -> tuple[str, ...]:
    def cell(name: str) -> str:
        match name:
            case "weighting" | "seeds":
                return str(line[name])
            case "failures":
                return f"{line['failures']:.0f} of {line['drives']:.0f}"
            case "reduction_value" | "paired_value":
                return findings.share(line.get(name, math.nan))
            case "reduction_interval" | "paired_interval":
                low, high = (line.get(name.replace("interval", end), math.nan) for end in ("low", "high"))
                return "–" if math.isnan(low) else f"{findings.share(low)} to {findings.share(high)}"
        value = line.get(name)
        if value is None or math.isnan(value):
            return "–"
        return "failure" if math.isinf(value) else f"{value:.3g}"

    return tuple(cell(name) for name, _ in _COLUMNS)


def _seeds(study: StudyConfig, rows: Sequence[Row], experiment: str) -> str:
    """Return a sentence about how many seeds an experiment has."""
    number, every = len({row["seed"] for row in select(rows, experiment=experiment)}), len(study.seeds)
    counted = f"all {every} seeds" if number == every else f"{number} of the {every} seeds"
    return f" With {counted}" + ("; intervals of so few are indicative." if number < ENOUGH_SEEDS else ".")


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


_REDUCTION = (
    "1 - median excess / median excess with mse at the same p; bars are 95 % intervals of a bootstrap over seeds and "
    "references. Excess is what the drive costs more than with an MPC that knows payload and friction. A drive that "
    "failed is infinitely bad: where an interval has no lower end for that, an arrow points down, and where the "
    "reduction has none, a triangle stands at the bottom."
)
_CAPACITY = "Medians of the excess, and reductions, for networks of other sizes; last round."
_DATA = "The same for models that learned of fewer recordings; last round."
_MISMATCH = (
    "A point a model. The closer to a line, the better the error on the horizontal axis tells what a model is worth: "
    "the objective mismatch is what spreads the first two. Models that failed half of their drives have no point, but "
    "the highest rank."
)
_LOCAL = "A point a drive that neither failed; below the line the local sensitivities cost less."
_ROUNDS = (
    "Each round adds recordings made with the checkpoint of the round before; the first ones are the nominal arm's. "
    "There is no point where half of the drives failed."
)
_WEIGHTS = (
    "Root of the diagonal of GᵀG over the recordings of the first seed: means by joint for each step ahead, and along "
    "the paths. Where the curves change, local weights differ from their mean."
)
_VARIANTS = (
    "Each against the settings as chosen, or against the variant named in brackets, drive by drive, on the validation "
    "references; models of the first round. Arrows and triangles at the edge tell of failures as above. The settings "
    "were chosen by this; the held-out references had no part in it."
)
