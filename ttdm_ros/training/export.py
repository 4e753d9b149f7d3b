"""Sensitivities of all samples of some bags: worked out in parallel, kept on disk, resumable."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttdm_ros import __version__
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import BagError
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.systems.arm import Arm
from ttdm_ros.training.bag_data import BagData
from ttdm_ros.training.chunk_work import Chunk, Executor, make_differentiator, work_in_processes, work_on_ray
from ttdm_ros.training.config import SamplingConfig
from ttdm_ros.training.dataset import spaced_starts
from ttdm_ros.training.sensitivities import Hessian, Method, SampleSensitivities
from ttdm_ros.training.sensitivity_file import chunk_file, read_chunks
from ttdm_ros.training.sensitivity_manifest import BagEntry, Manifest, write_entry, write_manifest
from ttdm_ros.training.store import Store
from ttdm_ros.training.trajectory import Trajectory

CHUNK = 200
"""Samples a chunk: below a second of work. Each begins from a cold start, so that results do not depend on ``jobs``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportProgress:
    """How far an export is."""

    done: int
    """Samples that are finished, those of an earlier export included."""
    total: int
    solved: int
    """Samples with sensitivities, of those finished now."""
    reasons: dict[str, int]
    """How often others ended otherwise, likewise."""
    rate: float
    """Samples a second; 0 before the first chunk."""

    @property
    def seconds_left(self) -> float:
        """Estimate; infinite before the first chunk."""
        return (self.total - self.done) / self.rate if self.rate > 0.0 else float("inf")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExportSettings:
    """What the sensitivities are taken of."""

    arm: Arm
    model: PredictionModel
    """The nominal one is the usual choice: its sensitivities need no training before them, exist at practically every
    sample, and do not depend on what is to be learned; the arm that is learned differs from it by little."""
    p: int = 4
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    mpc: MpcConfig = field(default_factory=MpcConfig)
    hessian: Hessian = "exact"
    method: Method = "own"

    @property
    def manifest(self) -> Manifest:
        """What makes the sensitivities of a bag what they are."""
        return Manifest(
            robot=self.arm.name,
            arm=self.arm.fingerprint,
            model=self.model.name,
            model_fingerprint=self.model.fingerprint,
            hessian=self.hessian,
            method=self.method,
            p=self.p,
            sampling=self.sampling,
            mpc=self.mpc,
            chunk=CHUNK,
            version=__version__,
        )

    def starts(self, trajectories: Sequence[Trajectory]) -> list[NDArray[np.intp]]:
        """Return the samples of each trajectory whose sensitivities are taken."""
        return spaced_starts(trajectories, self.p, self.sampling.spacing)


def export(
    bags: Sequence[BagData],
    settings: ExportSettings,
    folder: Path,
    *,
    jobs: int | None = None,
    executor: Executor = "processes",
    on_progress: Callable[[ExportProgress], None] = lambda progress: None,
    announce: Callable[[str], None] | None = None,
    store: Store | None = None,
) -> SampleSensitivities:
    """Work out what is not in the folder yet, and return the sensitivities of all samples, in their order.

    Args:
        bags: read with ``settings.sampling``.
        settings: of the problem.
        folder: new, or of an export with the same settings before, of these bags or others.
        jobs: processes, or tasks at once; as many as there are processors if left out, or as keep the cluster busy.
        executor: processes of this machine, or a Ray cluster that runs already; the results are the same.
        on_progress: told at the beginning and after every chunk.
        announce: told, in a sentence, when something has to be compiled.
        store: where the sensitivities are kept while they are in use; on the file system of the folder if left out.

    Raises:
        BagError: there is no sample in any of the bags.
        SensitivityError: the folder holds something else or cannot be written, a process was killed, or there is no
            Ray or no cluster.
        SolverError: acados or a compiler is missing.
    """
    if not any(len(starts) for bag in bags for starts in settings.starts(bag.trajectories)):
        raise BagError("there is no sample to take sensitivities of; record the arm while it is driven, for longer")
    write_manifest(folder, settings.manifest)
    chunks = list(_chunks(bags, settings, folder))
    distinct = {chunk.file.path: chunk for chunk in chunks}.values()  # a bag may be given twice
    open_chunks = [chunk for chunk in distinct if not chunk.file.is_there]
    total = sum(len(chunk.starts) for chunk in distinct)
    done = total - sum(len(chunk.starts) for chunk in open_chunks)
    began, first, solved = time.monotonic(), done, 0
    reasons: Counter[str] = Counter()

    def tell() -> None:
        rate = (done - first) / max(time.monotonic() - began, 1e-9)
        report = ExportProgress(done=done, total=total, solved=solved, reasons=dict(reasons), rate=rate)
        on_progress(report)

    tell()
    if open_chunks:
        # Compiled here, once and with a word about it; the processes only load it.
        differentiator = make_differentiator(settings, announce)
        if executor == "ray":
            work = work_on_ray(open_chunks, settings, jobs)
        else:
            processes = min(jobs or len(os.sched_getaffinity(0)), len(open_chunks))
            work = work_in_processes(open_chunks, settings, differentiator, processes)
        for chunk, result in work:
            chunk.file.write(result)
            done, solved = done + len(chunk.starts), solved + int(result.good.sum())
            reasons.update(result.reasons)
            tell()
    return read_chunks((chunk.file for chunk in chunks), settings.p, store or Store(folder))


def _chunks(bags: Sequence[BagData], settings: ExportSettings, folder: Path) -> Iterator[Chunk]:
    for bag in bags:
        all_starts = settings.starts(bag.trajectories)
        samples = sum(len(starts) for starts in all_starts)
        home = write_entry(folder, BagEntry(name=str(bag.path), fingerprint=bag.fingerprint, samples=samples))
        number = 0
        for trajectory, starts in zip(bag.trajectories, all_starts, strict=True):
            for first in range(0, len(starts), CHUNK):
                chosen = starts[first : first + CHUNK]
                reach = trajectory.stride * max(settings.mpc.horizon, settings.p) + 1
                begin = int(chosen[0])
                yield Chunk(
                    piece=trajectory.part(begin, int(chosen[-1]) + reach),
                    starts=chosen - begin,
                    p=settings.p,
                    file=chunk_file(home, number, len(chosen), settings.p),
                )
                number += 1
