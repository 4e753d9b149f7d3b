"""Does the pieces of a study, many at once; what was finished by an earlier start is not done again."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.nominal import nominal_batch
from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.study import work
from ttdm_ros.evaluation.study.config import StudyConfig
from ttdm_ros.evaluation.study.folder import StudyFolder
from ttdm_ros.evaluation.study.plan import Cell, cells, rounds
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.pool import pool
from ttdm_ros.systems.arm import load_arm
from ttdm_ros.training.chunk_work import Executor
from ttdm_ros.training.ray_tasks import ray_results

Piece = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyProgress:
    """How far a study is."""

    stage: str
    done: int
    total: int
    """Pieces of the stage."""
    seconds: float
    """Since the stage began."""


def run_study(
    study: StudyConfig,
    folder: StudyFolder,
    *,
    jobs: int | None = None,
    executor: Executor = "processes",
    on_progress: Callable[[StudyProgress], None] = lambda progress: None,
    announce: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Do what is not done yet, and return a row a drive of a model; see ``work``.

    Args:
        study: what to compare.
        folder: where everything goes.
        jobs: processes, or tasks at once; as many as there are processors if left out.
        executor: processes of this machine, or a Ray cluster that runs already and sees the same folder.
        on_progress: told after every piece.
        announce: told, in a sentence, when something has to be compiled.

    Raises:
        TtdmError: the folder is another study's, a piece failed, or a process was killed.
    """
    folder.open(study)
    before, started = folder.seconds, time.monotonic()
    _compile(study, announce)
    every = cells(study)
    left = [cell for cell in every if not folder.cell(cell.name).exists()]
    if left:
        stages = _stages(study, folder, left)
        with _workers(executor, jobs, max(len(pieces) for _, pieces in stages)) as finished:
            for stage, pieces in stages:
                began = time.monotonic()
                for done, _ in enumerate(finished(pieces), start=1):
                    now = time.monotonic()
                    folder.note_seconds(before + now - started)
                    on_progress(StudyProgress(stage=stage, done=done, total=len(pieces), seconds=now - began))
    return [row for cell in every for row in folder.read(folder.cell(cell.name))["rows"]]


def _stages(study: StudyConfig, folder: StudyFolder, left: Sequence[Cell]) -> list[tuple[str, list[Piece]]]:
    """Return what is to be done for the cells that are left, each stage after the one before."""
    stages: list[tuple[str, list[Piece]]] = [
        (f"recording, round {number}", [partial(work.do_drives, study, folder, each) for each in drives])
        for number, drives in enumerate(rounds(study))
    ]
    if not folder.baselines.exists():
        stages[0] = (
            "oracle and nominal model, recording, round 0",
            [partial(work.do_baselines, study, folder), *stages[0][1]],
        )
    return [*stages, ("training and driving", [partial(work.do_cell, study, folder, cell) for cell in left])]


def _compile(study: StudyConfig, announce: Callable[[str], None] | None) -> None:
    """Compile here, once and with a word about it, what the processes only load."""
    arm = load_arm(study.robot)
    nominal_batch(arm)
    MpcSolver(arm, PredictionModel.nominal(), study.mpc, announce=announce)


@contextmanager
def _workers(executor: Executor, jobs: int | None, most: int) -> Iterator[Callable[[Sequence[Piece]], Iterator[Any]]]:
    """Give what does pieces, at most ``most`` of them at once, and yields whenever one is finished."""
    if executor == "ray":
        yield lambda pieces: ray_results(_call, None, [(piece,) for piece in pieces], limit=jobs)
        return
    try:
        with pool(min(jobs or len(os.sched_getaffinity(0)), most)) as workers:
            yield lambda pieces: (each.result() for each in as_completed([workers.submit(piece) for piece in pieces]))
    except BrokenProcessPool as error:
        raise TtdmError(
            "a process of the study was killed, perhaps for lack of memory; start it again with fewer jobs, as what is "
            "finished is kept"
        ) from error


def _call(shared: None, piece: Piece) -> None:
    piece()
