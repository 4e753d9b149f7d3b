"""The demo with stand-ins for the nodes: what it starts, how it ends, and where the results are."""

import json
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation import demo
from ttdm_ros.evaluation.demo import DemoOptions, run_demo
from ttdm_ros.evaluation.demo_folder import DemoFolder
from ttdm_ros.evaluation.node_command import node_command, ros_arguments
from ttdm_ros.evaluation.ros_domain import HIGHEST, free_domain

WAIT = """
    import os, shutil, signal, sys, time
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    print(os.environ["ROS_DOMAIN_ID"], os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"], flush=True)
"""
LOOP = "\nwhile True: time.sleep(0.02)\n"


def status(phase: str, progress: float) -> str:
    return json.dumps({"status": {"phase": phase, "progress": str(progress), "tracking_error_mm": "1.5"}})


class StandIns:
    """Programs that do as the nodes do, but for the work; ``commands`` keeps what was asked for."""

    def __init__(self, bag: Path) -> None:
        self.commands: dict[str, dict[str, Any]] = {}
        self.lines = ['{"event": "tracking: the task begins"}', status("tracking", 0.5), status("holding", 1.0)]
        self.controller = LOOP
        self._bag = bag

    def command(self, node: str, parameters: Mapping[str, Any]) -> list[str]:
        self.commands[node] = dict(parameters)
        program = textwrap.dedent(WAIT)
        match node:
            case "recorder":
                target = f"{parameters['output_folder']}/{parameters['name']}"
                program += f"shutil.copytree({str(self._bag)!r}, {target!r})" + LOOP
            case "monitor":
                program += "".join(f"print({line!r}, flush=True)\n" for line in self.lines) + LOOP
            case "mpc_controller":
                program += self.controller
            case _:
                program += LOOP
        return [sys.executable, "-c", program]


@pytest.fixture
def stand_ins(tmp_path: Path, known_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> StandIns:
    bag = known_run(topics=("mpc_controller/events",)).write(tmp_path / "made" / "bag")
    made = StandIns(bag)
    monkeypatch.setattr(demo, "node_command", made.command)
    monkeypatch.setattr(demo, "_HOLDING_S", 0.0)
    return made


@pytest.fixture
def options(tmp_path: Path) -> DemoOptions:
    return DemoOptions(output=tmp_path / "demo output", domain=42, keep_logs=True)


@pytest.fixture
def console() -> Console:
    return Console(record=True, width=100)


def test_a_demo_starts_every_node_and_leaves_report_figures_and_bag(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    folder = run_demo(options, console)
    assert list(stand_ins.commands) == ["recorder", "simulator", "mpc_controller", "monitor"]
    assert stand_ins.commands["simulator"]["plant"] == "payload_friction"
    assert stand_ins.commands["mpc_controller"]["task"] == "demo"
    assert stand_ins.commands["mpc_controller"]["autostart"] is True
    summary = json.loads(folder.summary.read_text(encoding="utf-8"))
    assert summary["run"]["plant"] == "payload_friction"
    assert summary["run"]["problem"] is None
    assert summary["bag"]["recorded"] == 2
    assert "payload_friction" in folder.report.read_text(encoding="utf-8")
    assert (folder.bag / "metadata.yaml").is_file()
    assert (folder.logs / "simulator.log").read_text().split() == ["42", "LOCALHOST"]
    shown = console.export_text()
    assert "tracking: the task begins" in shown
    assert "messages recorded / lost" in shown


def test_a_second_demo_moves_the_first_one_away_whole(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    folder = run_demo(options, console)
    first = folder.report.read_text(encoding="utf-8")
    run_demo(options, console)
    earlier = folder.path / "earlier" / "001"
    assert (earlier / "report.html").read_text(encoding="utf-8") == first
    assert {path.name for path in earlier.iterdir()} == {"bag", "logs", "report.html", "summary.json"}
    assert str(earlier) in console.export_text().replace("\n", "")


def test_a_fault_of_the_controller_ends_the_demo_with_a_report_and_a_sentence(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.lines = ['{"event": "stopped: the joint state is stale"}', status("stopped", 0.5)]
    with pytest.raises(TtdmError, match="found a fault and stopped the arm: stopped: the joint state is stale"):
        run_demo(options, console)
    assert "did not end well" in (options.output / "report.html").read_text(encoding="utf-8")


def test_a_controller_that_cannot_start_ends_the_demo_with_its_reason(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.lines = ['{"status": {"phase": "inactive", "level": 2, "message": "the model is for another robot"}}']
    with pytest.raises(TtdmError, match="cannot start: the model is for another robot"):
        run_demo(options, console)


@pytest.mark.parametrize("phase", ["inactive", "leaving"])
def test_a_controller_that_is_deactivated_by_others_ends_the_demo(
    stand_ins: StandIns, options: DemoOptions, console: Console, phase: str
) -> None:
    stand_ins.lines = [status("tracking", 0.5), status(phase, 0.5)]
    with pytest.raises(TtdmError, match=f"gave up its task and is {phase} now"):
        run_demo(options, console)


def test_a_demo_of_limited_duration_ends_before_the_task_does(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.lines = [status("tracking", 0.01)]
    run_demo(replace(options, duration=0.01), console)
    assert "0.01 s of tracking, as asked for" in console.export_text()


def test_a_controller_that_dies_ends_the_demo_with_the_end_of_its_log(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.lines = []
    stand_ins.controller = "sys.exit('no compiler was found')"
    with pytest.raises(TtdmError, match=r"(?s)mpc_controller ended too early.*no compiler was found"):
        run_demo(options, console)


def test_a_controller_that_ends_badly_makes_the_demo_fail_after_the_report(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.controller = "signal.signal(signal.SIGINT, lambda *_: sys.exit(3))" + LOOP
    with pytest.raises(TtdmError, match="mpc_controller ended with exit code 3"):
        run_demo(options, console)
    assert (options.output / "summary.json").is_file()


def test_a_wrong_task_is_refused_before_anything_starts(stand_ins: StandIns, tmp_path: Path, console: Console) -> None:
    with pytest.raises(TtdmError, match="no task named 'dance'"):
        run_demo(DemoOptions(output=tmp_path / "out", task="dance"), console)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_an_error_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TtdmError, match="cannot be written"):
        DemoFolder(tmp_path / "file" / "out").prepare()


def test_a_node_is_started_with_its_parameter_file_and_texts_stay_texts() -> None:
    command = node_command("recorder", {"name": "1.5", "split_size": 2.0, "topics": None, "use_sim_time": True})
    assert command[:4] == [sys.executable, "-m", "ttdm_ros.nodes.recorder", "--ros-args"]
    assert command[4] == "--params-file"
    assert Path(command[5]).name == "recorder.yaml"
    assert command[6:] == ["-p", 'name:="1.5"', "-p", "split_size:=2.0", "-p", "use_sim_time:=true"]


def test_a_namespace_may_be_given_with_or_without_slashes() -> None:
    assert ros_arguments("none", {}, namespace="left") == ros_arguments("none", {}, namespace="/left/")
    assert "__ns:=/left" in ros_arguments("none", {}, namespace="left")


def test_a_domain_is_free_if_none_of_its_ports_is_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    heading = "  sl  local_address rem_address   st\n"
    ports = [7400 + 250 * domain + 10 for domain in range(HIGHEST + 1) if domain not in (7, 33)]
    table = tmp_path / "udp"
    table.write_text(heading + "".join(f"   0: 0100007F:{port:04X} 00000000:0000 07\n" for port in ports))
    assert free_domain((table, tmp_path / "absent")) == 33
    table.write_text(table.read_text() + f"   1: 0100007F:{7400 + 250 * 33:04X} 00000000:0000 07\n")
    with pytest.raises(TtdmError, match="are in use"):
        free_domain((table,))
