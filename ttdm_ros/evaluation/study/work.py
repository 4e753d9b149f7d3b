"""The pieces of a study as functions for one process; whatever they find goes into the study's folder."""

from typing import Any

import numpy as np

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.study.config import StudyConfig, name_of
from ttdm_ros.evaluation.study.driving import Bench, bench
from ttdm_ros.evaluation.study.folder import StudyFolder
from ttdm_ros.evaluation.study.learning import Learning, Tuned
from ttdm_ros.evaluation.study.plan import CHECKPOINT, Cell, Drives
from ttdm_ros.evaluation.study.statistics import Row


def do_baselines(study: StudyConfig, folder: StudyFolder) -> None:
    """Measure oracle and nominal model: on every plant with the held-out references, on the study's with the others."""
    own = bench(study)
    nominal = PredictionModel.nominal()
    found: dict[str, Any] = {}
    for plant in (study.plant, *study.other_plants):
        for held_out in (True, False) if plant == study.plant else (True,):
            oracle = own.measure_oracle(plant, held_out=held_out)
            if unfinished := [name for name, figures in oracle.items() if not figures["completed"]]:
                raise TtdmError(
                    f"an MPC that knows the plant '{name_of(plant)}' does not drive '{unfinished[0]}' to its end, so "
                    "that nothing can be measured against it; take other references, or another plant"
                )
            found[_set_name(plant, held_out)] = {
                "oracle": oracle,
                "nominal": own.measure(nominal, plant, held_out=held_out),
            }
    folder.write(folder.baselines, found)


def do_drives(study: StudyConfig, folder: StudyFolder, drives: Drives) -> None:
    """Record a round of a seed, then work out the sensitivities of every p and the checkpoint of the setting."""
    own, path = bench(study), folder.drives(drives.name)
    if not path.exists():
        if drives.round == 0:
            model = PredictionModel.nominal()
        else:
            before = Learning(study, folder, own.arm, drives.seed, drives.round - 1)
            model = before.checkpoint(before.training_of(study.specification, study.p_compared))
        folder.write_arrays(path, own.record(drives, model))
    learning = Learning(study, folder, own.arm, drives.seed, drives.round)
    for p in study.p:
        learning.sensitivities(p)
    learning.checkpoint(learning.training_of(study.specification, study.p_compared))


def do_cell(study: StudyConfig, folder: StudyFolder, cell: Cell) -> None:
    """Train the models of a cell, drive the references with each, and write a row a drive."""
    own = bench(study)
    learning = Learning(study, folder, own.arm, cell.seed, cell.round, cell.drives)
    changed = cell.variant.training if cell.variant else None
    tuned = learning.tune(cell, learning.training_of(cell.specification, cell.p, changed))
    baselines = folder.read(folder.baselines)
    rows: list[Row] = []
    for name, each in zip((CHECKPOINT, *cell.weightings), tuned, strict=True):
        if name == CHECKPOINT and cell.p != study.p_compared:
            continue  # it is the same for every p
        for plant in cell.plants:
            rows += _rows(own, cell, name, each, plant, baselines)
    folder.write(folder.cell(cell.name), {"rows": rows})


def _rows(own: Bench, cell: Cell, name: str, tuned: Tuned, plant: str, baselines: dict[str, Any]) -> list[Row]:
    held_out = cell.experiment != "variants"
    known = baselines[_set_name(plant, held_out)]
    measured = own.measure(tuned.model, plant, held_out=held_out)
    recording = own.study.recording
    relative = np.sqrt(np.square(tuned.metrics.rmse / tuned.spread).mean(axis=1))
    return [
        {
            "experiment": cell.experiment,
            "variant": cell.variant.name if cell.variant else "",
            "seed": cell.seed,
            "round": cell.round,
            "p": cell.p,
            "recorded_s": (cell.drives or recording.drives) * recording.duration * (cell.round + 1),
            "structure": cell.specification.structure,
            "hidden": "-".join(map(str, cell.specification.hidden)),
            "weighting": name,
            "plant": name_of(plant),
            "reference": name_of(reference),
            "completed": bool(figures["completed"]),
            "cost": figures["cost"] if figures["completed"] else None,
            "excess": figures["cost"] - known["oracle"][reference]["cost"] if figures["completed"] else None,
            "nominal_excess": known["nominal"][reference]["cost"] - known["oracle"][reference]["cost"],
            "rmse_mm": figures["rmse_mm"] if figures["completed"] else None,
            "error_one_step": float(relative[0]),
            "error_last_step": float(relative[-1]),
            "cost_of_errors": tuned.metrics.cost,
        }
        for reference, figures in measured.items()
    ]


def _set_name(plant: str, held_out: bool) -> str:
    return f"{name_of(plant)}, {'held out' if held_out else 'validation'}"
