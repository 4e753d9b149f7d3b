"""The total line under all test runs."""

import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run_tests() -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_tests", ROOT / "tools" / "run_tests.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_errors_count_as_failures(run_tests: ModuleType, tmp_path: Path) -> None:
    report = write(
        tmp_path / "report.xml",
        '<testsuites><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10"/></testsuites>',
    )
    assert run_tests.read_counts(report) == run_tests.Counts(passed=4, failed=3, skipped=3)


def test_counts_of_two_runs_add_up(run_tests: ModuleType) -> None:
    total = run_tests.Counts(passed=4, failed=3, skipped=3) + run_tests.Counts(passed=1, failed=0, skipped=2)
    assert total == run_tests.Counts(passed=5, failed=3, skipped=5)


@pytest.mark.parametrize("text", ["", "<testsuites><testsuite tests="])
def test_a_run_that_died_before_its_report_was_whole_counts_as_a_failure(
    run_tests: ModuleType, tmp_path: Path, text: str
) -> None:
    assert run_tests.read_counts(write(tmp_path / "cut.xml", text)) == run_tests.Counts(failed=1)
    assert run_tests.read_counts(tmp_path / "missing.xml") == run_tests.Counts(failed=1)


@pytest.fixture
def project(run_tests: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of its own, in which one test fails the first time it is run, and one always if told to."""
    write(
        tmp_path / "test_it.py",
        "import pathlib\n"
        "def test_well(): pass\n"
        "def test_first_time():\n"
        "    seen = pathlib.Path(__file__).with_name('seen')\n"
        "    assert seen.exists() or seen.write_text('') is None and False\n"
        "def test_always(): assert not pathlib.Path(__file__).with_name('broken').exists()\n",
    )
    monkeypatch.setattr(run_tests, "ROOT", tmp_path)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)  # of the run that this one is part of
    yield tmp_path


def stand_still(run_tests: ModuleType, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let every watch see a standstill of so many seconds."""

    class Watch(run_tests.StandstillWatch):
        def __enter__(self) -> "Watch":
            self.longest = seconds
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(run_tests, "StandstillWatch", Watch)


def test_what_failed_while_the_machine_stood_still_is_run_once_more(
    run_tests: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_still(run_tests, monkeypatch, 3.2)
    assert run_tests.run("tests", []) == run_tests.Counts(passed=3)
    assert "stood still for 3.2 s" in capsys.readouterr().out


def test_what_fails_again_has_failed(run_tests: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project / "broken", "")
    stand_still(run_tests, monkeypatch, 3.2)
    assert run_tests.run("tests", []) == run_tests.Counts(passed=2, failed=1)


def test_what_failed_on_a_machine_that_ran_is_not_run_again(
    run_tests: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_still(run_tests, monkeypatch, 0.3)
    assert run_tests.run("tests", []) == run_tests.Counts(passed=2, failed=1)


CRASH = "import os, pathlib\ndef test_it():\n    seen = pathlib.Path(__file__).with_name('{name}')\n"


@pytest.mark.parametrize(
    ("always", "found"), [(False, {"passed": 3}), (True, {"passed": 2, "failed": 1, "crashed": 1})]
)
def test_a_test_whose_process_crashed_is_run_once_more(
    run_tests: ModuleType,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    always: bool,
    found: dict[str, int],
) -> None:
    stand_still(run_tests, monkeypatch, 0.0)
    write(project / "seen", "")  # so that nothing else fails
    crash = "    os._exit(3)\n" if always else "    if not seen.exists(): seen.write_text('') ; os._exit(3)\n"
    write(project / "test_it.py", CRASH.format(name="crashed") + crash + "def test_a(): pass\ndef test_b(): pass\n")
    assert run_tests.run("tests", ["-n", "1"]) == run_tests.Counts(**found)
    assert "1 test(s) failed because their process crashed; what failed is run once more" in capsys.readouterr().out


def test_a_crash_beside_another_failure_changes_nothing(
    run_tests: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_still(run_tests, monkeypatch, 0.0)
    write(project / "test_it.py", "import os\ndef test_it(): os._exit(3)\ndef test_a(): assert False\n")
    assert run_tests.run("tests", ["-n", "1"]) == run_tests.Counts(failed=2, crashed=1)


def test_a_standstill_is_what_the_clock_jumped(run_tests: ModuleType) -> None:
    times, done = iter([0.0, 0.05, 3.1, 3.15]), threading.Event()

    def clock() -> float:
        now = next(times, None)
        if now is None:
            done.set()
        return 3.15 if now is None else now

    with run_tests.StandstillWatch(clock, pause=0.001) as watch:
        assert done.wait(60.0)
    assert watch.longest == pytest.approx(3.049)
