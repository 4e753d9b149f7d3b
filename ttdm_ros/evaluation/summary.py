"""From a bag to everything that is told about it: figures, table, page."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttdm_ros import __version__, topics
from ttdm_ros.errors import BagError, RobotError
from ttdm_ros.evaluation.headline import as_table, headline
from ttdm_ros.evaluation.plain import as_plain
from ttdm_ros.evaluation.report import write_report
from ttdm_ros.evaluation.run_data import RunData
from ttdm_ros.evaluation.run_metrics import measure_run
from ttdm_ros.evaluation.swap import measure_swap
from ttdm_ros.evaluation.tracking import track_tip
from ttdm_ros.paths import share_folder
from ttdm_ros.recording.reader import inspect, read_bag
from ttdm_ros.systems.arm import Arm, load_arm

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """``summary`` is plain data for JSON, ``table`` is for the terminal."""

    run: RunData
    summary: dict[str, Any]
    table: "Table"


def summarise(
    bag: Path,
    arm: Arm,
    *,
    run: Mapping[str, str],
    report: Path,
    problem: str | None = None,
    namespace: str | None = None,
) -> RunSummary:
    """Read a bag, compute its figures and write its page.

    Args:
        bag: the bag.
        arm: the arm it was recorded with.
        run: what was run, as ``{"task": "circle"}``.
        report: file of the page.
        problem: what went wrong, if something did.
        namespace: namespace of the topics; found by itself if the bag holds only one.

    Raises:
        BagError: the bag cannot be read, or holds other joints.
        TtdmError: the page cannot be written.
    """
    data = read_run(bag, arm, namespace=namespace)
    write_report(data, report, about=run, problem=problem)
    about = {**run, "problem": problem, "version": __version__}
    swap = measure_swap(data)
    rows = headline(data.metrics, arm.joint_names, swap)
    table = as_table(rows, ", ".join(f"{key} {value}" for key, value in run.items()))
    summary = {"run": about} | as_plain(data.metrics)
    if swap is not None:
        summary["swap"] = as_plain(swap)
        summary["tracking"] |= {"before_mm": swap.before_mm, "after_mm": swap.after_mm, "reduction": swap.reduction}
    return RunSummary(run=data, summary=summary, table=table)


def read_run(bag: Path, arm: Arm, *, namespace: str | None = None) -> RunData:
    """Read a bag and compute its figures; for arguments and errors see ``summarise``."""
    recording = read_bag(bag, joints=arm.joint_names, namespace=namespace)
    info, track = inspect(bag), track_tip(recording, arm)
    metrics = measure_run(recording, arm, info, track=track)
    return RunData(recording=recording, arm=arm, info=info, track=track, metrics=metrics)


def find_arm(
    bag: Path,
    *,
    robot: str | None = None,
    base_frame: str | None = None,
    tip_frame: str | None = None,
    namespace: str | None = None,
) -> Arm:
    """Return the arm a bag was recorded with.

    That is the robot if one is named; else the one of config/robots whose joints the bag holds; else the one that the
    bag itself describes.

    Raises:
        BagError: none is named and none can be found.
        TtdmError: the robot that is named cannot be loaded.
    """
    if robot is not None:
        return load_arm(robot, base_frame=base_frame, tip_frame=tip_frame)
    recording = read_bag(bag, namespace=namespace)
    names = set() if recording.joint_states is None else set(recording.joint_states.names)
    for file in sorted((share_folder() / "config" / "robots").glob("*.yaml")):
        arm = load_arm(file, base_frame=base_frame, tip_frame=tip_frame)
        if names.issuperset(arm.joint_names):
            return arm
    if recording.robot_description is None:
        raise BagError(
            f"the bag {bag} holds joint states of no known robot ({', '.join(sorted(names)) or 'none at all'}) and no "
            f"{topics.ROBOT_DESCRIPTION}; name the robot with --robot"
        )
    with tempfile.TemporaryDirectory() as folder:
        urdf = Path(folder) / "robot.urdf"
        urdf.write_text(recording.robot_description, encoding="utf-8")
        try:
            return load_arm(urdf, base_frame=base_frame, tip_frame=tip_frame)
        except RobotError as error:
            raise BagError(
                f"the robot that the bag {bag} describes cannot be used ({error}); name one with --robot"
            ) from error
