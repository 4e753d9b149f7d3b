"""Run all tests: the quick ones in parallel, then those with real processes one by one; close with one total line.

Arguments are passed on to pytest. The exit code is 0 only if tests ran and none failed.
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NO_TESTS_COLLECTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many tests ended how; errors in fixtures and while importing count as failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            passed=self.passed + other.passed,
            failed=self.failed + other.failed,
            skipped=self.skipped + other.skipped,
        )


def read_counts(report: Path) -> Counts:
    """Sum up a JUnit report; a missing or cut one means that pytest itself died, which counts as one failure."""
    try:
        suites = ElementTree.parse(report).getroot().iter("testsuite")
    except (OSError, ElementTree.ParseError):
        return Counts(failed=1)
    total = Counts()
    for suite in suites:
        number = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        passed = max(number["tests"] - failed - number["skipped"], 0)
        total += Counts(passed=passed, failed=failed, skipped=number["skipped"])
    return total


def run(title: str, arguments: list[str]) -> Counts:
    """Run pytest once and return what it counted."""
    print(f"== {title}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ttdm_test_") as folder:
        report = Path(folder) / "junit.xml"
        # Nodes of the tests must not meet those of another machine or write to the user's ~/.ros.
        environment = os.environ | {
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_LOG_DIR": folder,
            # Shared memory has locks across processes: on a busy machine one that is not scheduled holds up others.
            "FASTDDS_BUILTIN_TRANSPORTS": "UDPv4",
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        counts = read_counts(report)
    if code not in (0, NO_TESTS_COLLECTED) and not counts.failed:
        counts += Counts(failed=1)  # pytest ended badly for another reason: usage, interruption, internal error
    return counts


def main() -> int:
    """Run both halves and print the total."""
    chosen = sys.argv[1:]
    workers = os.environ.get("PYTEST_WORKERS", str(min(os.cpu_count() or 1, 8)))
    total = run("tests in parallel", ["-m", "not integration", "-n", workers, *chosen])
    total += run("tests with real processes, one by one", ["-m", "integration", "-n", "0", *chosen])
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main())
