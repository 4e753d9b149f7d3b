"""Drives of a study: recordings to learn from, and references on which a model is measured."""

from functools import lru_cache
from typing import Any

import numpy as np

from ttdm_ros.control.config import ControllerConfig
from ttdm_ros.control.timeline import Task
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.evaluation import closed_loop
from ttdm_ros.evaluation.closed_loop import RunResult
from ttdm_ros.evaluation.study.config import StudyConfig
from ttdm_ros.evaluation.study.folder import Arrays
from ttdm_ros.evaluation.study.oracle import informed_arm
from ttdm_ros.evaluation.study.paths import HELD_OUT, RECORDED, VALIDATION, random_path, references
from ttdm_ros.evaluation.study.plan import Drives
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.plants.config import load_plant
from ttdm_ros.systems.arm import Arm, load_arm

STATES = 2  # joint states a solve, with feedback in between
_DRIVES = 1000  # paths of a seed, at most
_COLUMNS = ("time", "measured", "tau", "rows")


class Bench:
    """Everything that drives in one process: arm, solvers, references; each is made when it is first needed."""

    def __init__(self, study: StudyConfig) -> None:
        """Load the arm of a study."""
        self.study = study
        self.arm: Arm = load_arm(study.robot)
        self._config = ControllerConfig(rate=study.control_rate)
        self._references: dict[bool, dict[str, Task]] = {}
        self._solvers: dict[str, MpcSolver] = {}

    def references(self, *, held_out: bool) -> dict[str, Task]:
        """Return the references the result is taken on, or those used for choosing settings."""
        if held_out not in self._references:
            wanted = self.study.references if held_out else self.study.validation_references
            self._references[held_out] = references(self.arm, wanted, HELD_OUT if held_out else VALIDATION)
        return self._references[held_out]

    def record(self, drives: Drives, model: PredictionModel) -> Arrays:
        """Drive random paths with exploration; return the columns of all drives one after another, and their lengths.

        A drive that a fault ended is recorded up to there.
        """
        wanted, runs = self.study.recording, []
        for i in range(wanted.drives):
            number = RECORDED + drives.seed * _DRIVES + drives.round * wanted.drives + i
            config = self._config.model_copy(update={"exploration": wanted.exploration, "exploration_seed": number})
            path = random_path(self.arm, number, wanted.duration, wanted.kind)
            runs.append(self._run(self._solver(model), model, path, self.study.plant, config, seed=number))
        columns = {name: np.concatenate([getattr(run, name) for run in runs]) for name in _COLUMNS}
        return columns | {"lengths": np.array([len(run.time) for run in runs], dtype=np.float64)}

    def measure(self, model: PredictionModel, plant: str, *, held_out: bool) -> dict[str, dict[str, float]]:
        """Drive every reference; return the figures of ``RunResult`` by reference."""
        return self._measure(self._solver(model), model, plant, held_out=held_out)

    def measure_oracle(self, plant: str, *, held_out: bool) -> dict[str, dict[str, float]]:
        """Do the same with an MPC that knows the plant."""
        nominal = PredictionModel.nominal()
        solver = MpcSolver(informed_arm(self.arm, load_plant(plant)), nominal, self.study.mpc)
        return self._measure(solver, nominal, plant, held_out=held_out)

    def _measure(
        self, solver: MpcSolver, model: PredictionModel, plant: str, *, held_out: bool
    ) -> dict[str, dict[str, float]]:
        paths = self.references(held_out=held_out)
        return {
            name: self._run(solver, model, path, plant, self._config, seed=i).figures
            for i, (name, path) in enumerate(paths.items())
        }

    def _run(
        self,
        solver: MpcSolver,
        model: PredictionModel,
        path: Task,
        plant: str,
        config: ControllerConfig,
        *,
        seed: int,
    ) -> RunResult:
        return closed_loop.run(
            solver,
            path,
            load_plant(plant),
            config=config,
            seed=seed,
            model=model,
            arm=self.arm,
            state_rate=round(STATES * self.study.control_rate),
        )

    def _solver(self, model: PredictionModel) -> MpcSolver:
        key = model.specification.model_dump_json()
        if key not in self._solvers:
            self._solvers[key] = MpcSolver(self.arm, model, self.study.mpc)
        return self._solvers[key]


@lru_cache(maxsize=1)
def _bench(text: str) -> Bench:
    return Bench(StudyConfig.model_validate_json(text))


def bench(study: StudyConfig) -> Bench:
    """Return the bench of this process for a study."""
    return _bench(study.model_dump_json())


def split_drives(arrays: Arrays) -> list[dict[str, Any]]:
    """Return the columns of each drive that :meth:`Bench.record` put one after another."""
    ends = np.cumsum(arrays["lengths"].astype(int))[:-1]
    parts = {name: np.split(arrays[name], ends) for name in _COLUMNS}
    return [{name: parts[name][i] for name in _COLUMNS} for i in range(len(ends) + 1)]
