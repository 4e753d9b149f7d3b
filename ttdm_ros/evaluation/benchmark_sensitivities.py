"""What sensitivities cost: samples a second on one process and on two, memory, and a plain implementation beside."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from rich.table import Table

from ttdm_ros.commands.terminal import make_console
from ttdm_ros.dynamics.bundle import load_model
from ttdm_ros.evaluation.plain_sensitivities import PlainSensitivities
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.mpc.sensitivity.exact import ExactSolver
from ttdm_ros.mpc.solver import MpcSolver
from ttdm_ros.mpc.tasks.config import load_task
from ttdm_ros.mpc.tasks.reference import plan
from ttdm_ros.systems.arm import Arm, load_arm
from ttdm_ros.training.bag_data import BagData
from ttdm_ros.training.config import SamplingConfig
from ttdm_ros.training.export import ExportProgress, ExportSettings, export
from ttdm_ros.training.trajectory import Trajectory

Array = NDArray[np.float64]

P, STEP = 4, 0.004
PLAIN_SAMPLES = 30
WHOLE = 20_000
RATE_TARGET, RATIO_TARGET, MEMORY_TARGET_MB = 100.0, 5.0, 2000.0


def run(
    *, robot: str = "panda", samples: int = 2000, progress: Callable[[float], None] | None = None
) -> dict[str, Any]:
    """Measure exports of samples along the demo's path, print a table, and return the figures.

    Args:
        robot: name that ships, or a path.
        samples: of each export; times for 20 000 are extrapolated from the rate where this is fewer.
        progress: told the share that is done, now and then.

    Returns:
        ``processes``: for one and two, ``rate`` [1/s], ``seconds_for_20000``, ``memory_mb`` of all processes and
        ``solved`` [share]; ``compiled_ms`` and ``plain_ms`` a sample, in one thread, of the same samples; ``ratio``;
        ``largest_difference`` of the sensitivities of both, relative; ``targets``: whether each is met.

    Raises:
        TtdmError: the robot cannot be loaded or drive the demo, or a solver cannot be compiled.
    """
    told = progress or (lambda done: None)
    arm = load_arm(robot)
    trajectory = _motion(arm, samples)
    bag = BagData(path=Path("benchmark"), fingerprint="benchmark", trajectories=(trajectory,))
    sampling = SamplingConfig(step=STEP, spacing=1)
    settings = ExportSettings(arm=arm, model=load_model("nominal"), p=P, sampling=sampling)
    figures: dict[str, Any] = {"robot": arm.name, "samples": samples, "processes": {}}
    for i, jobs in enumerate((1, 2)):
        figures["processes"][str(jobs)] = _export(
            bag,
            settings,
            jobs,
            lambda done, i=i: told(0.4 * (i + done)),  # type: ignore[misc]
        )
    figures |= _side_by_side(trajectory, settings.mpc, arm, lambda done: told(0.8 + 0.2 * done))
    two = figures["processes"]["2"]
    figures["targets"] = {
        "rate": two["rate"] >= RATE_TARGET,
        "ratio": figures["ratio"] >= RATIO_TARGET,
        "memory": two["memory_mb"] < MEMORY_TARGET_MB,
    }
    make_console().print(_table(figures))
    return figures


def _motion(arm: Arm, samples: int) -> Trajectory:
    """The demo's path with an arm that strays from it slowly, by some millimetres and tenths of rad/s."""
    reference = plan(load_task("demo"), arm)
    stride, dt = round(STEP / reference.dt), MpcConfig().dt
    table = reference.table[::stride]
    count = samples + P * round(dt / STEP)
    rows = np.concatenate([table] * -(-count // len(table)))[:count]
    random, stray = np.random.default_rng(0), np.zeros((count, 14))
    size = np.repeat([0.005, 0.05], 7)
    for k in range(1, count):
        stray[k] = 0.98 * stray[k - 1] + 0.2 * size * random.normal(size=14)
    return Trajectory(
        source="benchmark",
        step=STEP,
        dt=dt,
        time=STEP * np.arange(count, dtype=np.float64),
        x=rows[:, 12:26] + stray,
        u=rows[:, 26:],
        rows=rows,
        saturated=np.zeros(count, dtype=bool),
    )


def _export(bag: BagData, settings: ExportSettings, jobs: int, told: Callable[[float], None]) -> dict[str, float]:
    memory, process = 0.0, psutil.Process()

    def look(state: ExportProgress) -> None:
        nonlocal memory
        alive = [process, *process.children(recursive=True)]
        memory = max(memory, sum(_resident(each) for each in alive))
        told(state.done / state.total)

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        result = export([bag], settings, Path(folder) / "out", jobs=jobs, on_progress=look)
        seconds = time.perf_counter() - began
    rate = len(result.good) / seconds
    return {
        "rate": rate,
        "seconds": seconds,
        "seconds_for_20000": WHOLE / rate,
        "memory_mb": memory / 1e6,
        "solved": float(result.good.mean()),
    }


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # ended meanwhile
        return 0


def _side_by_side(trajectory: Trajectory, config: MpcConfig, arm: Arm, told: Callable[[float], None]) -> dict[str, Any]:
    """Solve and differentiate the same samples both ways, from the same guess; only samples without active bounds."""
    model = load_model("nominal")
    rough, exact, plain = (
        MpcSolver(arm, model, config),
        ExactSolver(arm, model, config),
        PlainSensitivities(arm, config),
    )
    compiled_ms, plain_ms, differences = [], [], []
    for i in np.linspace(0, 0.9 * len(trajectory), PLAIN_SAMPLES).astype(int).tolist():
        x0, rows = trajectory.x[i], trajectory.horizon(i, config.horizon)
        rough.initialise_from(rows)
        for _ in range(3):
            guess = rough.solve(x0, rows)
        began = time.perf_counter()
        solution = exact.solve(x0, rows, guess.x, guess.u)
        s = exact.sensitivities(P).s
        middle = time.perf_counter()
        _, _, factor = plain.solve(x0, rows, guess.x, guess.u)
        other = plain.sensitivities(factor, P)
        ended = time.perf_counter()
        compiled_ms.append(1e3 * (middle - began))
        plain_ms.append(1e3 * (ended - middle))
        if not solution.active and not solution.violated:
            differences.append(np.abs(s - other).max() / np.abs(s).max())
        told(len(plain_ms) / PLAIN_SAMPLES)
    compiled, slow = float(np.median(compiled_ms)), float(np.median(plain_ms))
    return {
        "compiled_ms": compiled,
        "plain_ms": slow,
        "ratio": slow / compiled,
        "largest_difference": float(max(differences, default=np.nan)),
        "compared": len(differences),
        "threads_of_the_machine": os.cpu_count(),
    }


def _table(figures: dict[str, Any]) -> Table:
    table = Table(title=f"sensitivities, {figures['robot']}, p = {P}, N = {MpcConfig().horizon}", title_justify="left")
    for heading in ("", "samples/s", f"{WHOLE} samples [s]", "memory [MB]", "solved"):
        table.add_column(heading, justify="left" if not heading else "right")
    for jobs, row in figures["processes"].items():
        cells = (
            f"{row['rate']:.0f}",
            f"{row['seconds_for_20000']:.0f}",
            f"{row['memory_mb']:.0f}",
            f"{row['solved']:.1%}",
        )
        table.add_row(f"{jobs} process{'es' * (jobs != '1')}", *cells)
    table.caption = (
        f"a sample from one guess: compiled {figures['compiled_ms']:.2f} ms, sparse LU in Python "
        f"{figures['plain_ms']:.1f} ms ({figures['ratio']:.1f} times); they differ by "
        f"{figures['largest_difference']:.1e}"
    )
    return table
