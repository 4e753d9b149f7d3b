"""The nominal acceleration of many states at once: the same compiled CasADi function that the controller uses."""

import ctypes
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ttdm_ros.compilation import Sources, cached_library
from ttdm_ros.dynamics import source
from ttdm_ros.dynamics.specification import JOINTS, NU, NX, ModelSpecification
from ttdm_ros.systems.arm import Arm

Array = NDArray[np.float64]

_SMALLEST_SHARE = 64  # states a thread gets at least; below, starting it costs more than it saves


class NominalBatch:
    """a_nominal and its Jacobian for batches, over all processors; may be called from several threads."""

    def __init__(self, arm: Arm, *, threads: int | None = None) -> None:
        """Compile (or load) the function of an arm.

        Raises:
            SolverError: a compiler is missing, or compiling failed.
        """
        specification = ModelSpecification(structure="nominal", hidden=())

        def make(work: Path) -> Sources:
            files = source.write_model(work, arm, specification)
            shutil.copy(source.SOURCES / "batch.c", work)
            return Sources(files=[*files, work / "batch.c"], vectorised=source.VECTORISED, alone=source.ALONE)

        library = cached_library("nominal", source.key_parts(arm, specification), make)
        pointer = ctypes.c_void_p
        library.ttdm_batch.argtypes, library.ttdm_batch.restype = [pointer, ctypes.c_long, *[pointer] * 3], None
        self._batch = library.ttdm_batch
        self._threads = threads or len(os.sched_getaffinity(0))
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None

    def __call__(self, z: Array, *, jacobian: bool = True) -> tuple[Array, Array | None]:
        """Return accelerations (n, 7) [rad/s²] and, if wanted, Jacobians (n, 7, 21) at z = (q, v, tau) (n, 21)."""
        z = np.ascontiguousarray(z, dtype=np.float64)
        count = len(z)
        value = np.empty((count, JOINTS))
        slope = np.empty((count, JOINTS, NX + NU)) if jacobian else None
        shares = min(self._threads, max(1, count // _SMALLEST_SHARE))
        edges = np.linspace(0, count, shares + 1).astype(int).tolist()

        def work(begin: int, end: int) -> None:
            part = None if slope is None else slope[begin:end].ctypes.data
            self._batch(None, end - begin, z[begin:end].ctypes.data, value[begin:end].ctypes.data, part)

        if self._pool is None or shares == 1:
            work(0, count)
        else:
            list(self._pool.map(work, edges[:-1], edges[1:]))
        return value, slope


@lru_cache(maxsize=8)
def nominal_batch(arm: Arm) -> NominalBatch:
    """Return the function of an arm; asking again for the same object gives the same one."""
    return NominalBatch(arm)
