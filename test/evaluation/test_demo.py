"""The demo with stand-ins for the nodes: the order of its story, how it ends, and where the results are."""

import json
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation import demo, demo_session
from ttdm_ros.evaluation.demo import EXPLORATION, DemoOptions, run_demo
from ttdm_ros.evaluation.demo_folder import DemoFolder
from ttdm_ros.evaluation.node_command import node_command, ros_arguments
from ttdm_ros.evaluation.ros_domain import HIGHEST, free_domain

WAIT = """
    import json, os, pathlib, shutil, signal, sys, time
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    def tell(text):
        with open({story!r}, "a") as story:
            story.write(text + "\\n")
    print(os.environ["ROS_DOMAIN_ID"], os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"], flush=True)
"""
READY = "\npathlib.Path({ready!r}).touch()\n"  # from here on it can be interrupted
MEET = "\nwhile not all(map(os.path.exists, {ready!r})): time.sleep(0.01)\n"
LOOP = "\nwhile True: time.sleep(0.02)\n"
RECORD = """
def leave(*_):
    tell("end recorder " + {name!r})
    sys.exit(0)
signal.signal(signal.SIGINT, leave)
shutil.copytree({bag!r}, {target!r})
"""
MONITOR = """
first, replies = json.loads({lines!r})
def say(lines):
    for line in lines:
        print(json.dumps(line), flush=True)
say(first)
for request, lines in zip(sys.stdin, replies):
    (kind, what), = json.loads(request).items()
    tell(kind + " " + (what if kind == "call" else " ".join(str(part) for pair in what.items() for part in pair)))
    say(lines)
"""
TRAIN = """
tell("train")
pathlib.Path({out!r}, "tailored").mkdir(parents=True)
"""
Line = dict[str, Any]


def status(phase: str, progress: float = 0.0, **others: Any) -> Line:
    return {"status": {"phase": phase, "progress": str(progress), "tracking_error_mm": "1.5"} | others}


def drive(*marks: float) -> list[Line]:
    return [status("approach"), *(status("tracking", mark) for mark in marks), status("holding", 1.0)]


DONE: Line = {"answer": "done", "done": True}
FIRST_DRIVE = [{"event": "driving 'demo'"}, *drive(0.5)]
NO_MORE_EXPLORATION = [DONE]
AGAIN = [DONE, status("holding", 1.0), *drive(0.2, 0.6)[:-1]]
EXCHANGED = [{"event": "model 'tailored' predicts from now on"}, DONE, status("tracking", 0.8), status("holding", 1.0)]
ONCE_MORE = [DONE, *drive(0.1)]


class StandIns:
    """Programs that do as the nodes do, but for the work; ``commands`` keeps what was asked for."""

    def __init__(self, bag: Path, folder: Path) -> None:
        self.commands: dict[str, dict[str, Any]] = {}
        self.lines: list[Line] = FIRST_DRIVE
        self.replies: list[list[Line]] = [NO_MORE_EXPLORATION, AGAIN, EXCHANGED, ONCE_MORE]  # to each request
        self.controller, self.training = LOOP, TRAIN
        self._bag, self._file = bag, folder / "story.txt"
        self._ready: list[str] = []  # of the nodes that were started

    @property
    def story(self) -> list[str]:
        """What happened, in order; without the paths of the demo's folder."""
        return self._file.read_text(encoding="utf-8").splitlines()

    def command(self, node: str, parameters: Mapping[str, Any]) -> list[str]:
        self.commands[node] = dict(parameters)
        name = str(parameters.get("name", ""))
        self._tell(f"start {node} {name}".strip())
        match node:
            case "recorder":
                target = f"{parameters['output_folder']}/{name}"
                return self._python(RECORD.format(name=name, bag=str(self._bag), target=target) + LOOP)
            case "monitor":
                meet = MEET.format(ready=self._ready)
                return self._python(meet + MONITOR.format(lines=json.dumps([self.lines, self.replies])) + LOOP)
            case "mpc_controller":
                return self._python(self._becoming_ready(node) + self.controller)
        return self._python(self._becoming_ready(node) + LOOP)

    def _becoming_ready(self, node: str) -> str:
        self._ready.append(str(self._file.with_name(f"{node}.ready")))
        return READY.format(ready=self._ready[-1])

    def train(self, options: DemoOptions, folder: DemoFolder) -> list[str]:
        return self._python(self.training.format(out=str(folder.training)), "77")

    def _python(self, program: str, domain: str | None = None) -> list[str]:
        start = textwrap.dedent(WAIT).format(story=str(self._file))
        if domain is not None:  # the training is no node
            start = (
                f"import os\nos.environ |= dict(ROS_DOMAIN_ID={domain!r}, ROS_AUTOMATIC_DISCOVERY_RANGE='')\n" + start
            )
        return [sys.executable, "-c", start + program]

    def _tell(self, text: str) -> None:
        with self._file.open("a", encoding="utf-8") as story:
            story.write(text + "\n")


@pytest.fixture
def stand_ins(tmp_path: Path, driven_twice: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIns]:
    """Nodes whose recorder makes a bag of two drives, with an exchange half-way through the first."""
    models = ((0.001, "nominal 00"), (0.5051, "tailored 11"))
    bag = driven_twice(models=models, offset=lambda t: 0.010 if t < 1.0 else 0.002).write(tmp_path / "made" / "bag")
    made = StandIns(bag, tmp_path)
    monkeypatch.setattr(demo_session, "node_command", made.command)
    monkeypatch.setattr(demo, "_training", made.train)
    for pause in ("_HOLDING_S", "_MEETING_S"):
        monkeypatch.setattr(demo, pause, 0.0)
    # Where the tests run in the background SIGINT is ignored, by children too in their first moments.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield made
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def options(tmp_path: Path) -> DemoOptions:
    return DemoOptions(output=tmp_path / "demo output", domain=42, keep_logs=True)


@pytest.fixture
def driving(options: DemoOptions) -> DemoOptions:
    """Without learning."""
    return replace(options, learn=False)


@pytest.fixture
def console() -> Console:
    return Console(record=True, width=100)


# The story


def test_the_arm_is_driven_learned_from_and_driven_again_with_the_new_model_from_half_way_on(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    folder = run_demo(options, console)
    assert stand_ins.story == [
        "start recorder lesson",
        "start simulator",
        "start mpc_controller",
        "start monitor",
        "end recorder lesson",
        "train",
        "set controller.exploration 0.0",
        "start recorder bag",
        "call drive_again",
        f"set model {folder.training / 'tailored'}",
        "call drive_again",
        "end recorder bag",
    ]
    assert stand_ins.commands["mpc_controller"]["controller.exploration"] == EXPLORATION > 0.0
    assert "done, holding" in console.export_text()


def test_the_figures_compare_both_drives(stand_ins: StandIns, options: DemoOptions, console: Console) -> None:
    folder = run_demo(options, console)
    summary = json.loads(folder.summary.read_text(encoding="utf-8"))
    assert summary["tracking"]["before_mm"] == pytest.approx(10.0, abs=1e-3)
    assert summary["tracking"]["after_mm"] == pytest.approx(2.0, abs=1e-3)
    assert summary["tracking"]["reduction"] == pytest.approx(0.8, abs=1e-3)
    assert (summary["swap"]["model"], summary["swap"]["missed_deadlines"]) == ("tailored 11", 0)
    assert summary["swap"]["torque_step"] == 0.0
    assert summary["run"]["problem"] is None
    shown = console.export_text()
    assert "10.00 / 2.00 mm" in shown
    assert str(folder.training / "tailored") in shown.replace("\n", "")


def test_the_new_model_takes_over_no_earlier_than_half_way(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.replies = [NO_MORE_EXPLORATION, [DONE, status("tracking", 0.49), status("stopped", 0.49)], EXCHANGED]
    with pytest.raises(TtdmError, match="found a fault"):
        run_demo(options, console)
    assert not any(line.startswith("set model") for line in stand_ins.story)


def test_the_training_is_that_of_the_command_line_on_the_lesson(options: DemoOptions) -> None:
    from ttdm_ros.cli import build_parser

    folder = DemoFolder(options.output)
    command = demo._training(replace(options, robot="arm.urdf", base_frame="base", tip_frame="tip"), folder)
    assert command[:3] == [sys.executable, "-m", "ttdm_ros.cli"]
    given = build_parser().parse_args(command[3:])
    assert given.bag == [folder.lesson]
    assert (given.out, given.name, given.weighting, given.seeds) == (folder.training, "tailored", "sensitivity", 1)
    assert (given.robot, given.base_frame, given.tip_frame) == ("arm.urdf", "base", "tip")


def test_without_learning_the_path_is_driven_once(stand_ins: StandIns, driving: DemoOptions, console: Console) -> None:
    folder = run_demo(driving, console)
    assert stand_ins.story == [
        "start recorder bag",
        "start simulator",
        "start mpc_controller",
        "start monitor",
        "end recorder bag",
    ]
    assert stand_ins.commands["simulator"]["plant"] == "payload_friction"
    assert stand_ins.commands["mpc_controller"]["task"] == "demo"
    assert stand_ins.commands["mpc_controller"]["autostart"] is True
    assert "controller.exploration" not in stand_ins.commands["mpc_controller"]
    summary = json.loads(folder.summary.read_text(encoding="utf-8"))
    assert summary["run"]["plant"] == "payload_friction"
    assert "payload_friction" in folder.report.read_text(encoding="utf-8")
    assert (folder.bag / "metadata.yaml").is_file()
    assert (folder.logs / "simulator.log").read_text().split() == ["42", "LOCALHOST"]
    shown = console.export_text()
    assert "driving 'demo'" in shown
    assert "messages recorded / lost" in shown
    assert "model  " not in shown


def test_no_learning_is_an_option_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from ttdm_ros.cli import main

    given: list[DemoOptions] = []
    monkeypatch.setattr(demo, "run_demo", lambda options, console: given.append(options))
    assert main(["demo"]) == main(["demo", "--no-learning", "--duration", "5"]) == 0
    assert [(options.learn, options.duration) for options in given] == [(True, None), (False, 5.0)]


def test_a_demo_of_limited_duration_ends_before_the_task_does(
    stand_ins: StandIns, driving: DemoOptions, console: Console
) -> None:
    stand_ins.lines = [status("tracking", 0.01)]
    run_demo(replace(driving, duration=0.01), console)
    assert "0.01 s of tracking, as asked for" in console.export_text()


# Where the results are


def test_a_second_demo_moves_the_first_one_away_whole(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    folder = run_demo(options, console)
    first = folder.report.read_text(encoding="utf-8")
    run_demo(options, console)
    earlier = folder.path / "earlier" / "001"
    assert (earlier / "report.html").read_text(encoding="utf-8") == first
    whole = {"lesson", "training", "bag", "logs", "report.html", "summary.json"}
    assert {path.name for path in earlier.iterdir()} == whole
    assert (earlier / "training" / "tailored").is_dir()
    assert (earlier / "lesson" / "metadata.yaml").is_file()
    assert {path.name for path in folder.path.iterdir()} == whole | {"earlier"}
    assert str(earlier) in console.export_text().replace("\n", "")


def test_what_a_demo_left_that_broke_off_is_moved_away_as_well(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path)
    for name in ("lesson", "training"):
        (tmp_path / name).mkdir()
    (tmp_path / "earlier" / "004").mkdir(parents=True)
    assert folder.prepare() == tmp_path / "earlier" / "005"
    assert {path.name for path in (tmp_path / "earlier" / "005").iterdir()} == {"lesson", "training"}
    assert folder.logs.is_dir()


def test_logs_are_kept_only_if_asked_for_or_if_something_went_wrong(
    stand_ins: StandIns, driving: DemoOptions, console: Console
) -> None:
    assert not run_demo(replace(driving, keep_logs=False), console).logs.exists()
    stand_ins.lines = [status("stopped")]
    with pytest.raises(TtdmError):
        run_demo(replace(driving, keep_logs=False), console)
    assert (driving.output / "logs" / "mpc_controller.log").is_file()


def test_a_wrong_task_is_refused_before_anything_starts(stand_ins: StandIns, tmp_path: Path, console: Console) -> None:
    with pytest.raises(TtdmError, match="no task named 'dance'"):
        run_demo(DemoOptions(output=tmp_path / "out", task="dance"), console)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_an_error_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TtdmError, match="cannot be written"):
        DemoFolder(tmp_path / "file" / "out").prepare()


# What can go wrong


def check_failed_with_report(options: DemoOptions, console: Console, sentence: str) -> None:
    """Run a demo that fails with a sentence, which its report and its figures tell, too."""
    with pytest.raises(TtdmError, match=sentence) as error:
        run_demo(options, console)
    assert "did not end well" in (options.output / "report.html").read_text(encoding="utf-8")
    assert json.loads((options.output / "summary.json").read_text())["run"]["problem"] == str(error.value)
    assert (options.output / "logs").is_dir()


def test_a_model_that_is_refused_ends_the_demo_with_the_reason(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.replies[2] = [{"answer": "the torque would change by 30.0 N·m at once", "done": False}]
    check_failed_with_report(
        options, console, r"the controller refused \{'set': \{'model': .*tailored'\}\}: the torque would change by 30"
    )


def test_a_second_drive_that_is_refused_ends_the_demo_with_the_reason(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.replies[1] = [{"answer": "the task can be driven again once it is done", "done": False}]
    check_failed_with_report(options, console, r"refused \{'call': 'drive_again'\}: the task can be driven again once")


def test_a_controller_that_does_not_answer_ends_the_demo(
    stand_ins: StandIns, options: DemoOptions, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_session, "_ANSWER_LIMIT_S", 0.3)
    stand_ins.replies[0] = []
    with pytest.raises(TtdmError, match=r"did not answer .*controller.exploration.* within 0.3 s"):
        run_demo(options, console)


def test_a_training_that_fails_ends_the_demo_and_names_its_log(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.training = "sys.exit('no sample could be solved')"
    with pytest.raises(TtdmError, match=r"train failed with exit code 1; see .*train\.log"):
        run_demo(options, console)
    assert "no sample could be solved" in (options.output / "logs" / "train.log").read_text()
    assert (options.output / "lesson").is_dir()
    assert not any(line.startswith("set") for line in stand_ins.story)


def test_a_fault_while_the_model_is_trained_ends_the_demo_and_the_training(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.training = "tell('train')" + LOOP
    stand_ins.lines = [*FIRST_DRIVE, {"event": "fault: no joint state came"}, status("stopped", 1.0)]
    with pytest.raises(TtdmError, match="found a fault and stopped the arm: fault: no joint state came"):
        run_demo(options, console)


def test_a_controller_that_dies_while_the_model_is_trained_ends_the_demo(
    stand_ins: StandIns, options: DemoOptions, console: Console, tmp_path: Path
) -> None:
    stand_ins.training = "tell('train')" + LOOP
    stand_ins.controller = f"""
while "train" not in pathlib.Path({str(tmp_path / "story.txt")!r}).read_text().split(): time.sleep(0.02)
sys.exit("out of memory")
"""
    with pytest.raises(TtdmError, match=r"(?s)mpc_controller ended too early.*out of memory"):
        run_demo(options, console)


def test_a_fault_after_the_exchange_ends_the_demo_with_a_report_and_a_sentence(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.replies[2] = [DONE, {"event": "fault: the solver failed 4 times"}, status("stopped", 0.6)]
    check_failed_with_report(options, console, "found a fault and stopped the arm: fault: the solver failed 4 times")


def test_what_the_driver_of_a_franka_arm_said_last_is_in_the_sentence(
    stand_ins: StandIns, driving: DemoOptions, console: Console
) -> None:
    fault, reflex = "no joint state came for 1001 ms", "no motion: communication_constraints_violation: free it"
    told = [{"driver": "following commands"}, {"driver": reflex}, {"event": f"fault: {fault}"}]
    stand_ins.lines = [*told, status("stopped", 0.5, level=2, message=fault)]
    check_failed_with_report(driving, console, f"{fault}; franka_driver said last: {reflex}")


def test_the_sentence_is_that_of_the_fault_and_not_what_was_said_last(
    stand_ins: StandIns, driving: DemoOptions, console: Console
) -> None:
    fault, last = "no joint state came for 106 ms", {"event": "stopped; activate again when the cause is removed"}
    stand_ins.lines = [{"event": f"fault: {fault}"}, last, status("stopped", 0.5, level=2, message=fault)]
    check_failed_with_report(driving, console, f"found a fault and stopped the arm: {fault}")


def test_a_fault_of_the_controller_ends_a_demo_without_learning_as_well(
    stand_ins: StandIns, driving: DemoOptions, console: Console
) -> None:
    stand_ins.lines = [{"event": "stopped: the joint state is stale"}, status("stopped", 0.5)]
    check_failed_with_report(driving, console, "found a fault and stopped the arm: stopped: the joint state is stale")


def test_a_controller_that_cannot_start_ends_the_demo_with_its_reason(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.lines = [{"status": {"phase": "inactive", "level": 2, "message": "the model is for another robot"}}]
    with pytest.raises(TtdmError, match="cannot start: the model is for another robot"):
        run_demo(options, console)


@pytest.mark.parametrize("phase", ["inactive", "leaving"])
def test_a_controller_that_is_deactivated_by_others_ends_the_demo(
    stand_ins: StandIns, options: DemoOptions, console: Console, phase: str
) -> None:
    stand_ins.lines = [status("tracking", 0.5), status(phase, 0.5)]
    with pytest.raises(TtdmError, match=f"gave up its task and is {phase} now"):
        run_demo(options, console)


def test_a_controller_that_dies_ends_the_demo_with_the_end_of_its_log(
    stand_ins: StandIns, options: DemoOptions, console: Console
) -> None:
    stand_ins.lines = []
    stand_ins.controller = "sys.exit('no compiler was found')"
    with pytest.raises(TtdmError, match=r"(?s)mpc_controller ended too early.*no compiler was found"):
        run_demo(options, console)


def test_a_controller_that_ends_badly_makes_the_demo_fail_after_the_report(
    stand_ins: StandIns, driving: DemoOptions, console: Console
) -> None:
    stand_ins.controller = "signal.signal(signal.SIGINT, lambda *_: sys.exit(3))" + LOOP
    check_failed_with_report(driving, console, "mpc_controller ended with exit code 3")


# How nodes are started


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
