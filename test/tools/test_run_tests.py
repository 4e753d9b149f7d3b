"""The total line under all test runs."""

import importlib.util
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
