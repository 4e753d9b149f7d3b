"""Rounds of improvement with stand-ins for nodes, trainer and report: their order, when they end, what is kept."""

import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ttdm_ros.dynamics.bundle import load_model
from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation import demo_session, driver, improve
from ttdm_ros.evaluation.improve import ImproveOptions, run_improve
from ttdm_ros.evaluation.rounds import Rounds
from ttdm_ros.systems.arm import load_arm
from ttdm_ros.training.export import ExportSettings
from ttdm_ros.training.sensitivity_manifest import write_manifest

BEGIN = """
    import json, os, pathlib, signal, sys, time
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    def tell(text):
        with open({story!r}, "a") as story:
            story.write(text + "\\n")
"""
READY = "\npathlib.Path({ready!r}).touch()\n"  # from here on it can be interrupted
MEET = "\nwhile not all(map(os.path.exists, {ready!r})): time.sleep(0.01)\n"
LOOP = "\nwhile True: time.sleep(0.02)\n"
RECORD = """
def leave(*_):
    tell("end recorder " + {name!r})
    sys.exit(0)
signal.signal(signal.SIGINT, leave)
pathlib.Path({target!r}).mkdir(parents=True)
"""
MONITOR = """
def say(line):
    print(json.dumps(line), flush=True)
def drive():
    for phase, progress in (("tracking", 0.5), ("holding", 1.0)):
        say({"status": {"phase": phase, "progress": str(progress)}})
drive()
for request in sys.stdin:
    (kind, what), = json.loads(request).items()
    words = what if kind == "call" else " ".join(str(part) for pair in what.items() for part in pair)
    tell(kind + " " + words.replace(FOLDER, ""))
    refused = REFUSED and REFUSED in words
    say({"answer": "it is too bold" if refused else "done", "done": not refused})
    if kind == "call":
        drive()
"""
TRAIN = """
tell("train " + {bags!r})
pathlib.Path({out!r}, {name!r}).mkdir(parents=True)
metrics = {{"position_rmse_last_step": 1e-4, "velocity_rmse_last_step": 1e-2, "cost_of_errors": 0.1}}
model = {{"fingerprint": "f" + {name!r}, "metrics": metrics}}
content = {{"samples": {{"training": 80, "validation": 20}}, "models": [model]}}
pathlib.Path({out!r}, "training.json").write_text(json.dumps(content))
"""
REPORT = """
pathlib.Path({page!r}).write_text("page")
pathlib.Path({figures!r}).write_text('{{"tracking": {{"rmse_mm": {rmse}}}}}')
"""


class StandIns:
    """Programs that do as nodes and commands do, but for the work; ``errors`` are those of the checks, in order."""

    def __init__(self, folder: Path, output: Path) -> None:
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.errors: list[float | None] = [10.0, 4.0, 3.0, 2.0]
        self.training, self.refused = TRAIN, ""
        self.sensitivities: list[str] = []
        self.files: dict[str, Path | None] = {}
        self._file, self._output = folder / "story.txt", output
        self._ready: list[str] = []  # of the nodes that were started

    @property
    def story(self) -> list[str]:
        """What happened since it was asked last, in order; paths are relative to the output folder."""
        lines = self._file.read_text(encoding="utf-8").splitlines()
        self._file.write_text("")
        return lines

    def of(self, node: str) -> list[dict[str, Any]]:
        return [parameters for name, parameters in self.commands if name == node]

    def command(self, node: str, parameters: Mapping[str, Any], params_file: Path | None = None) -> list[str]:
        self.commands.append((node, dict(parameters)))
        self.files[node] = params_file
        match node:
            case "recorder":
                target = Path(parameters["output_folder"]) / parameters["name"]
                name = self._short(target)
                self._tell(f"start recorder {name}")
                return self._python(RECORD.format(name=name, target=str(target)) + LOOP)
            case "monitor":
                self._tell("start monitor")
                values = f"FOLDER, REFUSED = {str(self._output) + '/'!r}, {self.refused!r}\n"
                return self._python(MEET.format(ready=self._ready) + values + MONITOR + LOOP)
        self._tell(f"start {node}")
        self._ready.append(str(self._file.with_name(f"{node}_{len(self._ready)}.ready")))
        return self._python(READY.format(ready=self._ready[-1]) + LOOP)

    def train(
        self,
        bags: Sequence[Path],
        robot: Mapping[str, Any],
        *,
        out: Path,
        name: str,
        sensitivities: Path,
        mpc: Path | None,
    ) -> list[str]:
        self.sensitivities.append(self._short(sensitivities))
        self.files["train"] = mpc
        names = " ".join(map(self._short, bags))
        return self._python(self.training.format(bags=names, out=str(out), name=name))

    def report(self, bag: Path, robot: Mapping[str, Any], *, page: Path, figures: Path) -> list[str]:
        rmse = self.errors.pop(0)
        return self._python(REPORT.format(page=str(page), figures=str(figures), rmse=json.dumps(rmse)))

    def _short(self, path: Path) -> str:
        return path.relative_to(self._output).as_posix()

    def _python(self, program: str) -> list[str]:
        return [sys.executable, "-c", textwrap.dedent(BEGIN).format(story=str(self._file)) + program]

    def _tell(self, text: str) -> None:
        with self._file.open("a", encoding="utf-8") as story:
            story.write(text + "\n")


@pytest.fixture
def options(tmp_path: Path) -> ImproveOptions:
    return ImproveOptions(output=tmp_path / "rounds of mine", rounds=2, domain=42)


@pytest.fixture
def stand_ins(tmp_path: Path, options: ImproveOptions, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    made = StandIns(tmp_path, options.output)
    monkeypatch.setattr(demo_session, "node_command", made.command)
    monkeypatch.setattr(improve, "train_command", made.train)
    monkeypatch.setattr(improve, "report_command", made.report)
    monkeypatch.setattr(driver, "_MEETING_S", 0.0)
    return made


@pytest.fixture
def console() -> Console:
    return Console(record=True, width=140)


def kept(options: ImproveOptions) -> Rounds:
    return Rounds.model_validate_json((options.output / "improve.json").read_text(encoding="utf-8"))


BASELINE = [
    "start recorder round_00/check",
    "start simulator",
    "start mpc_controller",
    "start monitor",
    "end recorder round_00/check",
]


def a_round(number: int, *bags: str) -> list[str]:
    home = f"round_{number:02d}"
    return [
        "set controller.exploration 0.04",
        f"start recorder {home}/bag",
        "call drive_again",
        f"end recorder {home}/bag",
        f"train {' '.join((*bags, f'{home}/bag'))}",
        f"set model {home}/model/{home}",
        "set controller.exploration 0.0",
        f"start recorder {home}/check",
        "call drive_again",
        f"end recorder {home}/check",
    ]


# The story


def test_each_round_records_trains_on_all_bags_swaps_and_measures(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    rounds = run_improve(options, console)
    assert stand_ins.story == [*BASELINE, *a_round(1), *a_round(2, "round_01/bag")]
    assert [each.rmse_mm for each in rounds.rounds] == [10.0, 4.0, 3.0]
    assert rounds.best == "round_02/model/round_02"
    assert rounds.ended == "all rounds that were asked for are done"
    assert kept(options) == rounds
    (controller,) = stand_ins.of("mpc_controller")
    assert (controller["model"], controller["task"], controller["controller.exploration"]) == ("nominal", "demo", 0.0)


def test_all_rounds_share_the_sensitivities_of_their_bags(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    run_improve(options, console)
    assert stand_ins.sensitivities == ["sensitivities"] * 2


@pytest.mark.parametrize(("content", "kept"), [({}, True), ({"version": "0.0.1"}, False), ({"format": 1}, False)])
def test_sensitivities_of_another_version_are_moved_out_of_the_way(
    stand_ins: StandIns, options: ImproveOptions, console: Console, content: dict[str, Any], kept: bool
) -> None:
    run_improve(replace(options, rounds=1), console)
    folder = options.output / "sensitivities"
    settings = ExportSettings(arm=load_arm("panda"), model=load_model("nominal"))
    write_manifest(folder, settings.manifest)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | content))
    run_improve(options, console)
    assert folder.exists() is kept
    assert (options.output / "unfinished" / "sensitivities_1").exists() is not kept


def test_figures_and_report_tell_every_round(stand_ins: StandIns, options: ImproveOptions, console: Console) -> None:
    run_improve(options, console)
    last = json.loads((options.output / "improve.json").read_text())["rounds"][2]
    assert last["bags"] == ["round_02/bag"]
    assert last["samples"] == {"training": 80, "validation": 20}
    assert last["validation"]["cost_of_errors"] == 0.1
    assert (last["fingerprint"], last["rmse_by_task"]) == ("fround_02", {"demo": 3.0})
    page = (options.output / "report.html").read_text(encoding="utf-8")
    for text in ("round_02/model/round_02", "2 (best)", "4.00", "-60%", 'href="round_01/check.html"', "<svg"):
        assert text in page
    assert "2 (best)" in console.export_text()


def test_a_round_that_does_not_pay_is_the_last_and_the_best_model_is_swapped_in(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    stand_ins.errors = [10.0, 4.0, 4.5]
    rounds = run_improve(replace(options, rounds=9), console)
    assert stand_ins.story == [
        *BASELINE,
        *a_round(1),
        *a_round(2, "round_01/bag"),
        "set model round_01/model/round_01",
    ]
    assert rounds.best == "round_01/model/round_01"
    assert rounds.ended == "round 2 did not pay: 4.50 mm after 4.00 mm, where 5% less was asked for"
    assert (options.output / "round_02" / "model" / "round_02").is_dir()


def test_a_small_gain_ends_the_rounds_and_is_kept(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    stand_ins.errors = [10.0, 9.6]
    rounds = run_improve(options, console)
    assert stand_ins.story == [*BASELINE, *a_round(1)]
    assert rounds.best == "round_01/model/round_01"


def test_where_no_round_pays_the_model_to_begin_with_is_the_best(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    stand_ins.errors = [10.0, 11.0]
    assert run_improve(options, console).best == "nominal"
    assert stand_ins.story[-1] == "set model nominal"


def test_with_several_tasks_the_controller_starts_anew_for_each_and_every_bag_is_trained_on(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    stand_ins.errors = [6.0, 8.0, 3.0, 4.0]
    rounds = run_improve(replace(options, tasks=("demo", "circle"), rounds=1), console)
    assert "train round_01/bag_1_demo round_01/bag_2_circle" in stand_ins.story
    learned = str(options.output / "round_01" / "model" / "round_01")
    started = [(each["task"], each["model"]) for each in stand_ins.of("mpc_controller")]
    assert started == [
        *((task, "nominal") for task in ("demo", "circle") * 2),
        ("demo", learned),
        ("circle", learned),
    ]
    assert rounds.rounds[1].rmse_by_task == {"demo": 3.0, "circle": 4.0}
    assert rounds.rounds[1].rmse_mm == pytest.approx(12.5**0.5)


def test_an_arm_that_is_up_already_is_not_simulated(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    run_improve(replace(options, plant=None, domain=None, rounds=1), console)
    assert not stand_ins.of("simulator")
    (controller,) = stand_ins.of("mpc_controller")
    assert "controller.stale_periods" not in controller
    assert "use_sim_time" not in controller
    assert set(stand_ins.files.values()) == {None}


def test_a_parameter_file_is_that_of_all_nodes_and_its_problem_that_of_the_training(
    stand_ins: StandIns, options: ImproveOptions, console: Console, tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("/**:\n  ros__parameters: {mpc: {horizon: 12}}\n", encoding="utf-8")
    run_improve(replace(options, params_file=own, rounds=1), console)
    assert stand_ins.files == dict.fromkeys(("recorder", "simulator", "mpc_controller", "monitor", "train"), own)
    assert kept(options).run.params_file == str(own)
    with pytest.raises(TtdmError, match=r"another run \(params_file .*own\.yaml, not None\)"):
        run_improve(options, console)


def test_simulated_time_is_that_of_recorder_and_controller(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    run_improve(replace(options, plant=None, domain=None, use_sim_time=True, rounds=1), console)
    for node in ("recorder", "mpc_controller"):
        assert [each["use_sim_time"] for each in stand_ins.of(node)] == [True] * len(stand_ins.of(node))
        assert stand_ins.of(node)


# Going on


def test_more_rounds_go_on_with_the_last_model_and_train_on_all_bags(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    run_improve(replace(options, rounds=1), console)
    stand_ins.story  # noqa: B018 - forgets
    rounds = run_improve(options, console)
    story = stand_ins.story
    assert story[0] == "start recorder round_02/bag"
    assert "train round_01/bag round_02/bag" in story
    last = stand_ins.of("mpc_controller")[-1]
    assert last["model"] == str(options.output / "round_01" / "model" / "round_01")
    assert last["controller.exploration"] == options.exploration
    assert [each.rmse_mm for each in rounds.rounds] == [10.0, 4.0, 3.0]


def test_rounds_that_are_done_start_nothing(stand_ins: StandIns, options: ImproveOptions, console: Console) -> None:
    first = run_improve(options, console)
    stand_ins.story  # noqa: B018 - forgets
    assert run_improve(options, console) == first
    assert stand_ins.story == []


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"plant": "ideal"}, "plant payload_friction, not ideal"),
        ({"tip_frame": "panda_link7"}, "tip_frame None, not panda_link7"),
        ({"base_frame": "panda_link1"}, "base_frame None, not panda_link1"),
    ],
)
def test_rounds_of_another_run_are_left_alone(
    stand_ins: StandIns,
    options: ImproveOptions,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    difference: str,
) -> None:
    monkeypatch.setattr("ttdm_ros.systems.arm.load_arm", lambda *_, **__: None)  # whether there is such a link
    run_improve(options, console)
    before = (options.output / "improve.json").read_bytes()
    with pytest.raises(TtdmError, match=rf"holds rounds of another run \({difference}\)"):
        run_improve(replace(options, **change), console)
    assert (options.output / "improve.json").read_bytes() == before


# What can go wrong


def test_a_training_that_fails_ends_the_rounds_with_a_sentence_and_keeps_everything(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    run_improve(replace(options, rounds=1), console)
    good, stand_ins.training = stand_ins.training, "sys.exit('no sample could be solved')"
    with pytest.raises(TtdmError, match=r"train failed with exit code 1; see .*train\.log") as error:
        run_improve(options, console)
    assert kept(options).problem == str(error.value)
    assert "did not end well" in (options.output / "report.html").read_text(encoding="utf-8")
    assert [each.rmse_mm for each in kept(options).rounds] == [10.0, 4.0]
    assert (options.output / "round_02" / "bag").is_dir()
    stand_ins.training = good
    assert run_improve(options, console).problem is None
    assert (options.output / "unfinished" / "round_02_1" / "bag").is_dir()
    assert (options.output / "round_02" / "model").is_dir()


def test_a_model_that_is_refused_ends_the_rounds_with_the_reason(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    stand_ins.refused = "round_02/model"
    with pytest.raises(TtdmError, match=r"the controller refused .*it is too bold"):
        run_improve(options, console)
    assert kept(options).best == "round_01/model/round_01"


def test_a_drive_that_cannot_be_measured_ends_the_rounds(
    stand_ins: StandIns, options: ImproveOptions, console: Console
) -> None:
    stand_ins.errors = [None]
    with pytest.raises(TtdmError, match="holds no drive that can be measured"):
        run_improve(options, console)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"tasks": ("dance",)}, "no task named 'dance'"),
        ({"tasks": ("demo", "demo")}, "each task is to be named once"),
        ({"plant": "moon"}, "no plant named 'moon'"),
        ({"model": "missing"}, "missing"),
        ({"plant": None, "domain": 42}, "set ROS_DOMAIN_ID"),
        ({"use_sim_time": True}, "add --plant-running"),
        ({"params_file": Path("missing.yaml")}, "missing.yaml: cannot be read"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_starts(
    options: ImproveOptions, console: Console, change: dict[str, Any], problem: str
) -> None:
    with pytest.raises(TtdmError, match=problem):
        run_improve(replace(options, **change), console)
    assert not options.output.exists()


def test_the_command_passes_on_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    from ttdm_ros.cli import main

    given: list[ImproveOptions] = []
    monkeypatch.setattr(improve, "run_improve", lambda options, console: given.append(options))
    assert main(["improve"]) == 0
    assert main(["improve", "--task", "circle", "--task", "sines", "--plant-running", "--min-gain", "0.1"]) == 0
    assert main(["improve", "--plant-running", "--use-sim-time", "--params-file", "own.yaml"]) == 0
    assert given[0] == ImproveOptions()
    assert (given[2].plant, given[2].use_sim_time, given[2].params_file) == (None, True, Path("own.yaml"))
    assert (given[1].tasks, given[1].plant, given[1].min_gain) == (("circle", "sines"), None, 0.1)


def test_training_and_report_are_those_of_the_command_line(tmp_path: Path) -> None:
    from ttdm_ros.cli import build_parser
    from ttdm_ros.evaluation.child_commands import report_command, train_command

    robot = {"robot": "arm.urdf", "base_frame": "base", "tip_frame": None}
    train = train_command(
        [tmp_path / "a", tmp_path / "b"],
        robot,
        out=tmp_path / "model",
        name="mine",
        sensitivities=tmp_path / "s",
        mpc=tmp_path / "mpc.yaml",
    )
    report = report_command(tmp_path / "a", robot, page=tmp_path / "a.html", figures=tmp_path / "a.json")
    assert train[:3] == report[:3] == [sys.executable, "-m", "ttdm_ros.cli"]
    given = build_parser().parse_args(train[3:])
    assert (given.bag, given.out, given.name) == ([tmp_path / "a", tmp_path / "b"], tmp_path / "model", "mine")
    assert (given.sensitivities, given.mpc) == (tmp_path / "s", tmp_path / "mpc.yaml")
    told = build_parser().parse_args(report[3:])
    assert (told.bag, told.output, told.json) == (tmp_path / "a", tmp_path / "a.html", tmp_path / "a.json")
    assert (given.robot, given.base_frame, given.tip_frame) == (told.robot, told.base_frame, told.tip_frame)
    assert (told.robot, told.base_frame, told.tip_frame) == ("arm.urdf", "base", None)
