"""The figures of a training in words and as JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from ttdm_ros import __version__
from ttdm_ros.commands.terminal import make_table
from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.plain import as_plain
from ttdm_ros.training.metrics import PredictionMetrics
from ttdm_ros.training.pipeline import ModelOutcome, TrainingOutcome

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = (
    "model",
    "position [mrad]",
    "velocity [rad/s]",
    "after p: position",
    "velocity",
    "explained",
    "cost of errors",
)
TABLE_TEXT = (
    "Root mean square over the joints, after one step and after p steps along the recorded torques; the share that the "
    "model explains of the acceleration left over by the nominal arm; and what the errors cost the closed loop by the "
    "sensitivities, ½ ‖Σ G ε‖². Medians over seeds."
)
_UNKNOWN = "–"


def table_rows(outcome: TrainingOutcome) -> list[tuple[str, ...]]:
    """Return a row a weighting: nominal arm, checkpoint, each weighting."""
    return [(name, *_cells([metrics.plain() for metrics in group])) for name, group in measured_groups(outcome)]


def measured_groups(outcome: TrainingOutcome) -> Iterator[tuple[str, list[PredictionMetrics]]]:
    """Yield the name and the measures of nominal arm, checkpoints and each weighting, over the seeds."""
    yield "nominal arm", [outcome.nominal]
    yield "one-step checkpoint", [each.metrics for each in outcome.checkpoints]
    for weighting in outcome.job.weightings:
        yield weighting, [each.metrics for each in outcome.models if each.weighting == weighting]


def as_table(outcome: TrainingOutcome) -> "Table":
    """Return the rows as a table for the terminal."""
    return make_table("errors on samples that training never saw", HEADINGS, table_rows(outcome))


def write_summary(outcome: TrainingOutcome, path: Path) -> None:
    """Write everything that was measured, and the losses, as JSON.

    Raises:
        TtdmError: the file cannot be written.
    """
    job, sensitivities = outcome.job, outcome.sensitivities
    content = {
        "version": __version__,
        "robot": job.arm.name,
        "bags": [{"name": str(bag.path), "fingerprint": bag.fingerprint} for bag in outcome.bags],
        "samples": {
            "training": int(outcome.windows.training.sum()),
            "validation": int(outcome.windows.validation.sum()),
            "without_sensitivities": {} if sensitivities is None else sensitivities.reasons,
        },
        "nominal": outcome.nominal.plain(),
        "checkpoints": [_entry(each) for each in outcome.checkpoints],
        "models": [_entry(each) for each in outcome.models],
        "losses": {"checkpoint": outcome.base.history, "fine_tuning": outcome.tuned.history},
    }
    try:
        path.write_text(json.dumps(as_plain(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise TtdmError(f"{path} cannot be written ({error.strerror}); choose another folder") from error


def _entry(outcome: ModelOutcome) -> dict[str, Any]:
    return {
        "folder": str(outcome.folder),
        "weighting": outcome.weighting,
        "seed": outcome.seed,
        "fingerprint": outcome.model.fingerprint,
        "metrics": outcome.metrics.plain(),
        "rmse_by_step_and_state": outcome.metrics.rmse,
    }


def _cells(figures: list[dict[str, Any]]) -> list[str]:
    def over_seeds(key: str) -> float | None:
        values = [each[key] for each in figures if key in each]
        return median(values) if values else None

    cost = over_seeds("cost_of_errors")
    explained = over_seeds("explained_acceleration")
    return [
        f"{1e3 * (over_seeds('position_rmse_one_step') or 0.0):.3f}",
        f"{over_seeds('velocity_rmse_one_step') or 0.0:.4f}",
        f"{1e3 * (over_seeds('position_rmse_last_step') or 0.0):.3f}",
        f"{over_seeds('velocity_rmse_last_step') or 0.0:.4f}",
        f"{explained or 0.0:.1%}",
        _UNKNOWN if cost is None else f"{cost:.4g}",
    ]
