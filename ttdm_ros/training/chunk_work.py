"""The work of an export, chunk by chunk: in this process, in others on this machine, or on a Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.errors import SensitivityError
from ttdm_ros.pool import pool
from ttdm_ros.training.ray_tasks import ray_results
from ttdm_ros.training.sensitivities import Differentiator, SampleSensitivities
from ttdm_ros.training.sensitivity_file import ChunkFile
from ttdm_ros.training.trajectory import Trajectory

if TYPE_CHECKING:
    from ttdm_ros.training.export import ExportSettings

Executor = Literal["processes", "ray"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Work for one process: a piece of a trajectory that is long enough for the last horizon."""

    piece: Trajectory
    starts: NDArray[np.intp]
    p: int
    file: ChunkFile


def make_differentiator(settings: "ExportSettings", announce: Callable[[str], None] | None = None) -> Differentiator:
    """Return what solves the problem of some settings; compiled if it never was."""
    return Differentiator(
        settings.arm,
        settings.model,
        settings.mpc,
        hessian=settings.hessian,
        method=settings.method,
        announce=announce,
    )


def work_in_processes(
    chunks: Sequence[Chunk], settings: "ExportSettings", differentiator: Differentiator, jobs: int
) -> Iterator[tuple[Chunk, SampleSensitivities]]:
    """Yield chunks with their results, in the order in which they are finished.

    Raises:
        SensitivityError: a process was killed.
    """
    if jobs <= 1:
        for chunk in chunks:
            yield chunk, differentiator.samples(chunk.piece, chunk.starts, chunk.p)
        return
    with pool(jobs, _prepare, settings) as workers:
        pending: dict[Future[SampleSensitivities], Chunk] = {}
        waiting = iter(chunks)
        try:
            while True:
                for chunk in waiting:
                    pending[workers.submit(_samples, chunk.piece, chunk.starts, chunk.p)] = chunk
                    if len(pending) >= 2 * jobs:  # no more in memory than keeps every process busy
                        break
                if not pending:
                    return
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    yield pending.pop(future), future.result()
        except BrokenProcessPool as error:
            raise SensitivityError(
                "a process of the export was killed, perhaps for lack of memory; start the same export again with "
                "fewer jobs, as what is finished is kept"
            ) from error


def work_on_ray(
    chunks: Sequence[Chunk], settings: "ExportSettings", jobs: int | None
) -> Iterator[tuple[Chunk, SampleSensitivities]]:
    """Do the same as tasks of a Ray cluster that runs already, at most ``jobs`` at once.

    Raises:
        SensitivityError: see ``ray_results``.
    """
    key = settings.manifest.model_dump_json()
    items = [(key, chunk.piece, chunk.starts, chunk.p) for chunk in chunks]
    for index, result in ray_results(_samples_of, settings, items, limit=jobs):
        yield chunks[index], result


_own: Differentiator | None = None  # of this process
_own_key = ""  # of what it solves; a worker of a cluster lives longer than an export


def _prepare(settings: "ExportSettings") -> None:
    global _own
    _own = make_differentiator(settings)


def _samples(piece: Trajectory, starts: NDArray[np.intp], p: int) -> SampleSensitivities:
    assert _own is not None
    return _own.samples(piece, starts, p)


def _samples_of(
    settings: "ExportSettings", key: str, piece: Trajectory, starts: NDArray[np.intp], p: int
) -> SampleSensitivities:
    global _own, _own_key
    if _own is None or _own_key != key:
        _own, _own_key = make_differentiator(settings), key
    return _own.samples(piece, starts, p)
