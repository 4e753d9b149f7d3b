"""The report of a training: one HTML page that needs nothing but itself."""

from dataclasses import dataclass
from pathlib import Path

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation import training_figures as figures
from ttdm_ros.evaluation.page import render_page
from ttdm_ros.evaluation.training_summary import HEADINGS, TABLE_TEXT, table_rows
from ttdm_ros.training.pipeline import TrainingOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    title: str
    text: str
    plot: str | None


def write_training_report(outcome: TrainingOutcome, output: Path) -> None:
    """Write the page; one that is there is replaced.

    Raises:
        TtdmError: the file cannot be written.
    """
    try:
        output.write_text(render_training_report(outcome), encoding="utf-8")
    except OSError as error:
        raise TtdmError(f"the report {output} cannot be written ({error.strerror}); choose another folder") from error


def render_training_report(outcome: TrainingOutcome) -> str:
    """Return the page as text."""
    job, specification = outcome.job, outcome.job.config.specification
    return render_page(
        "training.html",
        title=f"Training of {len(outcome.models)} model{'s' * (len(outcome.models) > 1)} for {job.arm.name}",
        about={
            "structure": specification.structure,
            "layers": "-".join(map(str, specification.layer_sizes)),
            "inputs": ", ".join(specification.inputs),
            "p": str(job.config.p),
            "seeds": ", ".join(map(str, job.seeds)),
        },
        headings=HEADINGS,
        table_text=TABLE_TEXT,
        rows=table_rows(outcome),
        sections=_sections(outcome),
        absent="No weighting of this training needed sensitivities.",
        data_text=_data_text(outcome),
        bags=[
            (
                bag.path.name,
                bag.fingerprint,
                str(len(bag.trajectories)),
                f"{sum(len(part) * part.step for part in bag.trajectories):.1f}",
            )
            for bag in outcome.bags
        ],
    )


def _sections(outcome: TrainingOutcome) -> list[_Section]:
    described = (
        ("Losses", "On samples that training never saw; a line a seed.", figures.losses(outcome)),
        (
            "Errors by step",
            "Root mean square over the joints, of rollouts along recorded torques. Medians over seeds.",
            figures.errors_by_step(outcome),
        ),
        (
            "Errors by joint",
            f"After {outcome.job.config.p} steps, before and after fine-tuning. Medians over seeds.",
            figures.errors_by_state(outcome),
        ),
        (
            "What matters, by joint",
            "Root of the mean diagonal of GᵀG: what an error of a state, k steps ahead, costs the closed loop.",
            figures.weights_by_joint(outcome),
        ),
        (
            "What matters, along the way",
            "The same sample by sample, over all steps ahead; gaps are samples without sensitivities.",
            figures.weights_over_time(outcome),
        ),
    )
    return [_Section(title=title, text=text, plot=plot) for title, text, plot in described]


def _data_text(outcome: TrainingOutcome) -> str:
    windows, sensitivities = outcome.windows, outcome.sensitivities
    text = f"{int(windows.training.sum())} samples to train on, {int(windows.validation.sum())} to validate with"
    left_out = 0 if sensitivities is None else int((~sensitivities.good).sum())
    if sensitivities is not None and left_out:
        reasons = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in sensitivities.reasons.items())
        text += f"; {left_out} left out, as their problem was not solved ({reasons})"
    return text + "."
