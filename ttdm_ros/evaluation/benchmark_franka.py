"""How long, and how steadily, the controller drives a simulated FR3 whose limits are enforced: real processes."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.table import Table

from ttdm_ros import topics
from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.demo_session import PATIENT_CONTROLLER, DemoSession, node_environment
from ttdm_ros.evaluation.demo_view import DemoView
from ttdm_ros.evaluation.franka_session import PATIENT_DRIVER, start_driver, start_simulated_robot
from ttdm_ros.evaluation.node_command import node_command
from ttdm_ros.evaluation.processes import ProcessGroup
from ttdm_ros.evaluation.ros_domain import free_domain
from ttdm_ros.evaluation.run_metrics import measure_run, spread
from ttdm_ros.evaluation.stolen_time import processor_ticks, stolen_share
from ttdm_ros.plants.franka.law import LawPhase
from ttdm_ros.recording.reader import Recording, inspect, read_bag
from ttdm_ros.systems.arm import load_arm

Feedback = Literal["driver", "controller"]

_TOPICS = (
    *(topics.JOINT_STATES, topics.REFERENCE, topics.REFERENCE_JOINTS, topics.TIMING, topics.EVENTS),
    *(topics.ACTIVE_MODEL, topics.FRANKA_LOOP, topics.FRANKA_EVENTS),
)


def run(
    *,
    robot: str = "fr3",
    seconds: float = 600.0,
    feedback: Feedback = "driver",
    guard: float | None = None,
    plant: str = "payload_friction",
    task: str = "demo",
    folder: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Drive a task again and again for so many seconds; print a table, return the figures.

    Args:
        robot: name that ships, or a path; an FR3.
        seconds: of driving, by the wall clock [s].
        feedback: where K (x_ref - x) is added: in the driver's loop, a thousand times a second, or in the controller.
        guard: the driver's ``guard.timeout`` [s]; one that suits a busy machine if left out. Once it has stopped the
            arm, the controller is refused: what is measured ends there.
        plant: of config/plants: payload and friction.
        task: of config/tasks.
        folder: for the bag and the logs; if left out, they are thrown away afterwards, unless it fails.
        progress: told the share that is done, now and then.

    Returns:
        ``seconds`` and ``robot_seconds`` (by the robot's clock), ``drives``, ``cycles`` and ``missing_cycles``;
        ``stolen`` (share of the processors' time that this machine's host gave to others, None if unknown);
        ``reflexes`` (what the driver told of motions that ended), ``stops`` (of the guard, before the end);
        ``period_ms`` and ``busy_ms`` (``p50``, ``p99``, ``max``); ``success_rate`` (``mean``, ``p1``, ``min``);
        ``rmse_mm`` of the tip, ``late_solves``, ``failed_solves``, ``solves``, and the longest time between two solves,
        ``longest_silence_ms``.

    Raises:
        TtdmError: a process ended early or badly, or the controller found a fault.
    """
    arm = load_arm(robot)
    with kept_if_it_fails(folder) as home:
        with ProcessGroup() as group, DemoView(Console(quiet=True)) as view:
            environment = node_environment(free_domain(), home)
            address = start_simulated_robot(group, arm, plant, folder=home)
            record = node_command("recorder", {"output_folder": str(home), "name": "bag", "topics": list(_TOPICS)})
            group.start("recorder", record, log=home / "recorder.log", environment=environment)
            session = DemoSession(group, view, logs=home, environment=environment, robot={"robot": robot})
            law = {"publish_law": feedback == "driver"}
            session.start(plant=None, controller={"task": task} | law | PATIENT_CONTROLLER)
            driver = (
                {"robot": robot, "detail_rate": 1000} | PATIENT_DRIVER | ({"guard.timeout": guard} if guard else {})
            )
            start_driver(session, group, driver, address=address, folder=home, environment=environment)
            session.follow("tracking")
            began, ticks, drives = time.monotonic(), processor_ticks(), 1
            while (elapsed := time.monotonic() - began) < seconds:
                if progress is not None:
                    progress(elapsed / seconds)
                if session.phase == "holding":
                    session.ask(call="drive_again")
                    session.follow("tracking")
                    drives += 1
                session.watch(0.2, show=False)
            stolen, driven_ns = stolen_share(ticks, processor_ticks()), time.time_ns()
            group.stop("mpc_controller")  # before the driver, as an operator does: it brings the arm to rest
            if problems := [ended.problem for ended in group.stop_all() if ended.problem]:
                raise TtdmError(problems[0])
        figures = {"robot": arm.name, "feedback": feedback, "seconds": elapsed, "drives": drives, "stolen": stolen}
        required = (topics.TIMING, topics.FRANKA_LOOP, topics.FRANKA_EVENTS)
        recording = read_bag(home / "bag", joints=arm.joint_names, require=required)
        assert recording.timing is not None, "it is required"
        figures |= _loop_figures(recording, driven_ns)
        metrics = measure_run(recording, arm, inspect(home / "bag"))
        figures |= {
            "rmse_mm": None if metrics.tracking is None else metrics.tracking.rmse_mm,
            "late_solves": metrics.control.missed_deadlines if metrics.control else None,
            "failed_solves": metrics.control.failures if metrics.control else None,
            "solves": metrics.control.solves if metrics.control else None,
            "longest_silence_ms": 1e-6 * float(np.diff(recording.timing.publish_time_ns).max()),
        }
    _print(figures)
    return figures


@contextmanager
def kept_if_it_fails(folder: Path | None) -> Iterator[Path]:
    """Give a folder, made if it is missing; one of our own, if None, is removed but after an error in a sentence.

    Raises:
        TtdmError: what was raised, and where the folder is.
    """
    home = folder or Path(tempfile.mkdtemp(prefix="ttdm_franka_"))
    home.mkdir(parents=True, exist_ok=True)
    keep = folder is not None
    try:
        yield home
    except TtdmError as error:
        keep = True
        raise TtdmError(f"{error} (bag and logs are in {home})") from error
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)


def _loop_figures(recording: Recording, driven_ns: int) -> dict[str, Any]:
    """Return what the driver says of its loop; a stop by the guard after ``driven_ns`` (wall clock) is no stop."""
    loop, events = recording.franka_loop, recording.franka_events
    assert loop is not None and events is not None, "they are required"
    column = {name: loop.values[:, i] for i, name in enumerate(topics.FRANKA_LOOP_COLUMNS)}
    follows = column["law_phase"] == LawPhase.FOLLOWING
    if not follows.any():
        raise TtdmError("the driver never followed the controller; see the logs beside the bag")
    period, busy = 1e-3 * column["period_us"][follows], 1e-3 * column["busy_us"][follows]
    rate, robot_time = column["success_rate"][follows], column["robot_time"][follows]
    steps = np.diff(robot_time)
    return {
        "robot_seconds": float(robot_time[-1] - robot_time[0]),
        "cycles": int(follows.sum()),
        "missing_cycles": int(np.round(1e3 * steps[(steps > 0.0015) & (steps < 0.5)]).sum()),
        "reflexes": [text for text in events.text if "no motion" in text],
        "stops": [
            text
            for text, heard_ns in zip(events.text, events.log_time_ns, strict=True)
            if "commands stopped coming" in text and heard_ns < driven_ns
        ],
        "period_ms": asdict(spread(period)),
        "busy_ms": asdict(spread(busy)),
        "success_rate": {
            "mean": float(rate.mean()),
            "p1": float(np.percentile(rate, 1)),
            "min": float(rate.min()),
        },
    }


def _print(figures: dict[str, Any]) -> None:
    table = Table(title=f"driving {figures['robot']}, feedback in the {figures['feedback']}", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    period, busy, rate = figures["period_ms"], figures["busy_ms"], figures["success_rate"]
    stolen = figures["stolen"]
    for label, value in (
        ("driven", f"{figures['seconds']:.0f} s, {figures['drives']} times"),
        ("by the robot's clock", f"{figures['robot_seconds']:.0f} s, {figures['cycles']} cycles"),
        ("cycles missing in the bag", str(figures["missing_cycles"])),
        ("processor time taken by the machine's host", "unknown" if stolen is None else f"{100.0 * stolen:.0f} %"),
        ("reflexes", str(len(figures["reflexes"]))),
        ("stops by the guard", str(len(figures["stops"]))),
        ("period of the loop, p50 / p99 / max", " / ".join(f"{period[k]:.2f}" for k in period) + " ms"),
        ("from state to command, p50 / p99 / max", " / ".join(f"{busy[k]:.3f}" for k in busy) + " ms"),
        ("success rate, mean / p1 / lowest", " / ".join(f"{rate[k]:.4f}" for k in rate)),
        ("longest time between two solves", f"{figures['longest_silence_ms']:.0f} ms"),
        ("RMSE of the tip", f"{figures['rmse_mm']:.2f} mm" if figures["rmse_mm"] is not None else "none"),
        (
            "late / failed of all solves",
            f"{figures['late_solves']} / {figures['failed_solves']} of {figures['solves']}",
        ),
    ):
        table.add_row(label, value)
    console = Console()
    console.print(table)
    for text in (*figures["reflexes"], *figures["stops"]):
        console.print(text, highlight=False, markup=False)
