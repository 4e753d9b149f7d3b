"""The command line: help, exit codes, and the commands that need no robot."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import ttdm_ros
from ttdm_ros import cli
from ttdm_ros.errors import TtdmError
from ttdm_ros.recording.writer import BagWriter

COMMANDS = ("demo", "info", "record", "ask", "salvage", "report", "sensitivities", "train", "evaluate", "benchmark")
ROOT = Path(__file__).parents[1]
START_NS = 1_700_000_000_000_000_000


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command line; return its exit code and what it printed."""

    def call(*arguments: object) -> SimpleNamespace:
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            code = leaving.code
        printed = capsys.readouterr()
        return SimpleNamespace(code=code, out=printed.out, err=printed.err)

    return call


def write_bag(path: Path, *, close: bool = True, count: int = 100) -> Path:
    """Write texts, ten a second; without closing, a bag is as a killed recorder leaves it."""
    writer = BagWriter(path)
    writer.add_channel("/mpc_controller/events", "std_msgs/msg/String")
    for i in range(count):
        text = b"\x00\x01\x00\x00\x02\x00\x00\x00a\x00"
        writer.write("/mpc_controller/events", text, START_NS + i * 10**8, sequence=i + 1)
    writer.flush()
    if close:
        writer.close()
    return path


def module(name: str, **content: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(content)
    return made


def test_the_help_names_every_command(run: Callable[..., Any]) -> None:
    shown = run("--help")
    assert shown.code == 0
    assert all(f"  {command}" in shown.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_with_examples(run: Callable[..., Any], command: str) -> None:
    shown = run(command, "--help")
    assert shown.code == 0
    assert f"  ttdm {command}" in shown.out
    assert "Example" in shown.out


def test_the_version_is_told(run: Callable[..., Any]) -> None:
    shown = run("--version")
    assert (shown.code, shown.out) == (0, f"ttdm_ros {ttdm_ros.__version__}\n")


def test_the_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from ttdm_ros.cli import build_parser; build_parser().format_help(); "
        "print(*({'numpy', 'rclpy', 'casadi', 'matplotlib', 'torch', 'rich', 'mcap'} & sys.modules.keys()))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["info"],
        ["demo", "--duration", "0"],
        ["demo", "--domain", "233"],
        ["evaluate", "--task", "circle", "--seeds", "-1"],
        ["benchmark", "network"],
        ["ask"],
        ["ask", "dance"],
        ["ask", "status", "--timeout", "0"],
        ["ask", "set", "model"],
        ["ask", "set", "model", "null"],
        ["ask", "set", "model", "[1, 2]"],
        ["ask", "set", "model", "{"],
        ["ask", "stop", "now"],
    ],
)
def test_wrong_arguments_end_with_code_2_and_the_usage(run: Callable[..., Any], arguments: list[str]) -> None:
    shown = run(*arguments)
    assert shown.code == 2
    assert shown.err.startswith("usage: ttdm")


@pytest.mark.parametrize("command", ["info", "salvage", "report"])
def test_a_bag_that_is_not_there_is_an_error_in_one_sentence(
    run: Callable[..., Any], tmp_path: Path, command: str
) -> None:
    shown = run(command, tmp_path / "absent")
    assert shown.code == 1
    assert shown.out == ""
    assert shown.err.startswith("ttdm: ")
    assert "absent" in shown.err
    assert shown.err.count("\n") == 1


def test_an_unknown_task_is_refused_with_the_known_ones(run: Callable[..., Any], tmp_path: Path) -> None:
    shown = run("demo", "--task", "dance", "--output", tmp_path / "out")
    assert shown.code == 1
    assert "no task named 'dance'; known: circle, demo" in shown.err
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_a_command_with_code_130(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ttdm_ros.recording.info.describe", interrupted)
    shown = run("info", "bag")
    assert (shown.code, shown.err) == (128 + signal.SIGINT, "ttdm: interrupted\n")


def test_info_shows_topics_counts_and_rates(run: Callable[..., Any], tmp_path: Path) -> None:
    shown = run("info", write_bag(tmp_path / "bag"))
    assert shown.code == 0
    assert "/mpc_controller/events" in shown.out
    assert "100 messages over 9.90 s" in shown.out
    assert "10.0" in shown.out


def test_salvage_makes_a_killed_bag_whole_and_says_what_it_saved(run: Callable[..., Any], tmp_path: Path) -> None:
    killed = write_bag(tmp_path / "killed", close=False)
    shown = run("salvage", killed, "--output", tmp_path / "whole")
    assert shown.code == 0
    assert f"saved 100 messages over 9.900 s to {tmp_path / 'whole'}" in shown.out
    assert run("info", tmp_path / "whole").code == 0
    assert "is whole already" in run("salvage", tmp_path / "whole").out


def test_salvage_never_overwrites(run: Callable[..., Any], tmp_path: Path) -> None:
    killed = write_bag(tmp_path / "killed", close=False)
    write_bag(tmp_path / "other")
    shown = run("salvage", killed, "--output", tmp_path / "other")
    assert shown.code == 1
    assert "exists already" in shown.err


def test_report_writes_a_page_beside_the_bag_and_figures_on_request(run: Callable[..., Any], tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag")
    shown = run("report", bag, "--robot", "panda", "--json", tmp_path / "figures.json")
    assert shown.code == 0
    assert "100 / 0" in shown.out
    assert (tmp_path / "bag_report.html").is_file()
    assert '"recorded": 100' in (tmp_path / "figures.json").read_text(encoding="utf-8")


def test_figures_that_cannot_be_written_are_an_error_in_one_sentence(run: Callable[..., Any], tmp_path: Path) -> None:
    bag = write_bag(tmp_path / "bag")
    shown = run("report", bag, "--robot", "panda", "--json", tmp_path / "nowhere" / "figures.json")
    assert shown.code == 1
    assert "figures.json cannot be written (No such file or directory); name another file" in shown.err
    assert shown.err.count("\n") == 1


def test_bags_whose_names_differ_behind_a_dot_have_reports_of_their_own(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("run.v1", "run.v2"):
        assert run("report", write_bag(tmp_path / name), "--robot", "panda").code == 0
    (file,) = (tmp_path / "run.v1").glob("*.mcap")
    assert run("report", file, "--robot", "panda").code == 0
    assert {page.name for page in tmp_path.rglob("*.html")} == {
        "run.v1_report.html", "run.v2_report.html", f"{file.stem}_report.html",
    }  # fmt: skip


def test_record_passes_its_options_to_the_recorder(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str] = []

    def main(arguments: list[str]) -> int:
        given.extend(arguments)
        return 0

    monkeypatch.setitem(sys.modules, "ttdm_ros.nodes.recorder", module("recorder", main=main))
    shown = run("record", "--output", "my bags", "--topic", "/a", "--topic", "/b", "--namespace", "left")
    assert shown.code == 0
    assert 'output_folder:="my bags"' in given
    assert 'topics:=["/a", "/b"]' in given
    assert "__ns:=/left" in given
    assert not any(argument.startswith(("name:=", "use_sim_time:=")) for argument in given)


@pytest.mark.parametrize(
    ("arguments", "node", "what_for"), [(["record"], "recorder", "recording"), (["ask", "status"], "ask", "asking")]
)
def test_without_ros_a_command_that_needs_it_says_what_is_missing(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, arguments: list[str], node: str, what_for: str
) -> None:
    monkeypatch.delitem(sys.modules, f"ttdm_ros.nodes.{node}", raising=False)
    for name in ("rclpy", "rclpy.client", "lifecycle_msgs.msg"):  # what one of the two imports first
        monkeypatch.setitem(sys.modules, name, None)
    shown = run(*arguments)
    assert shown.code == 1
    assert re.fullmatch(f"ttdm: {what_for} needs ROS 2's .* (rclpy|lifecycle_msgs.msg) is missing; .*\n", shown.err)


@pytest.mark.parametrize(
    ("value", "meant"),
    [("0", 0), ("0.04", 0.04), ("false", False), ("models/panda", "models/panda"), ("'7'", "7"), ("-1", -1)],
)
def test_ask_reads_the_value_of_a_parameter_as_yaml(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, value: str, meant: Any
) -> None:
    given: list[Any] = []

    def ask(*words: Any, **options: Any) -> str:
        given.extend((words, options))
        return "set"

    monkeypatch.setitem(sys.modules, "ttdm_ros.nodes.ask", module("ask", ask=ask))
    shown = run("ask", "set", "model", value, "--namespace", "left", "--timeout", "2")
    assert (shown.code, shown.out) == (0, "set\n")
    assert given == [("set", "model", meant), {"namespace": "left", "patience": 2.0}]
    assert type(given[0][2]) is type(meant)


def test_evaluate_runs_every_task_with_every_seed_and_writes_all_runs(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import json

    given: list[tuple[str, float]] = []

    def evaluate(
        *, arm: Any, mpc: Any, task: str, seed: int, progress: Callable[[float], None], **_: str
    ) -> SimpleNamespace:
        given.append((arm.name, mpc.position_weight))
        progress(0.5)
        fault = "the arm was stopped" if seed == 1 else None
        error = float("nan") if fault and task == "circle" else 10.0 * len(task) + seed
        return SimpleNamespace(figures={"rmse_mm": error, "worst": float("nan")}, fault=fault)

    monkeypatch.setitem(sys.modules, "ttdm_ros.evaluation.closed_loop", module("closed_loop", evaluate=evaluate))
    output, settings = tmp_path / "out.json", tmp_path / "mpc.yaml"
    settings.write_text("/mpc_controller: {ros__parameters: {mpc: {position_weight: 5.0}}}", encoding="utf-8")
    problem = ("--robot", "fr3", "--mpc", settings)
    shown = run("evaluate", *problem, "--task", "demo", "circle", "--plant", "ideal", "--seeds", "3", "--json", output)
    assert shown.code == 0
    assert given == [("fr3", 5.0)] * 6
    content = json.loads(output.read_text(encoding="utf-8"))
    assert [(r["task"], r["seed"]) for r in content["runs"]] == [(t, s) for t in ("demo", "circle") for s in range(3)]
    assert content["mpc"]["position_weight"] == 5.0
    assert content["medians"] == {"demo": {"rmse_mm": 41.0, "worst": None}, "circle": {"rmse_mm": 61.0, "worst": None}}
    assert content["runs_with_the_figure"] == {"demo": {"rmse_mm": 3, "worst": 0}, "circle": {"rmse_mm": 2, "worst": 0}}
    assert "medians of 3 runs" in shown.out
    assert "61 (2 of 3 runs)" in shown.out
    assert "circle, seed 1: the arm was stopped" in shown.out


def test_benchmark_passes_robot_and_calls_on_and_writes_the_figures(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def benchmark(*, robot: str, calls: int, progress: Callable[[float], None]) -> dict[str, Any]:
        progress(1.0)
        return {"robot": robot, "calls": calls}

    monkeypatch.setitem(sys.modules, "ttdm_ros.evaluation.benchmark_solver", module("benchmark_solver", run=benchmark))
    output = tmp_path / "out.json"
    assert run("benchmark", "solver", "--robot", "fr3", "--calls", "7", "--json", output).code == 0
    assert output.read_text(encoding="utf-8").split() == ["{", '"robot":', '"fr3",', '"calls":', "7", "}"]


def test_an_error_of_the_package_is_a_sentence_and_a_defect_is_a_traceback(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: Exception) -> Callable[[Path], None]:
        def describe(_: Path) -> None:
            raise error

        return describe

    monkeypatch.setattr("ttdm_ros.recording.info.describe", fail(TtdmError("it is too late; come earlier")))
    assert run("info", "bag").err == "ttdm: it is too late; come earlier\n"
    monkeypatch.setattr("ttdm_ros.recording.info.describe", fail(RuntimeError("defect")))
    with pytest.raises(RuntimeError):
        run("info", "bag")


def test_what_the_pages_tell_to_ask_can_be_asked() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    told = {line for page in pages for line in re.findall(r"ttdm (ask(?: [a-z0-9_.]+)+)", page.read_text("utf-8"))}
    assert {"ask status", "ask activate", "ask stop", "ask recover", "ask set controller.exploration 0.0"} <= told
    for line in told:
        assert cli.build_parser().parse_args(line.split()).question in line
