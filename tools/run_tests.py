"""Run all tests: the quick ones in parallel, then those with real processes one by one; close with one total line.

Arguments are passed on to pytest. The exit code is 0 only if tests ran and none failed.

Virtual machines can stand still for seconds, and tests with real processes then see time jump. This is measured: tests
that failed while the machine stood still are run once more, and the output says so. So are tests whose process crashed,
where nothing else failed: rclpy over Fast DDS does that now and then while it ends a node (ros2/rmw_fastrtps#717 is one
such race), and what crashes by itself does so again.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
NO_TESTS_COLLECTED = 5
STANDSTILL = 0.5  # a thread that sleeps for 50 ms and wakes so much too late did not wait for a busy processor [s]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many tests ended how; errors in fixtures and while importing count as failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    crashed: int = 0
    """Of the failed ones, those whose process died under them."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            passed=self.passed + other.passed,
            failed=self.failed + other.failed,
            skipped=self.skipped + other.skipped,
            crashed=self.crashed + other.crashed,
        )


class StandstillWatch:
    """Measures, from ``with`` to its end, for how long at a time nothing ran on this machine."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, pause: float = 0.05) -> None:
        self.longest = 0.0
        self._clock, self._pause = clock, pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        before = self._clock()
        while not self._over.wait(self._pause):
            now = self._clock()
            self.longest = max(self.longest, now - before - self._pause)
            before = now


def read_counts(report: Path) -> Counts:
    """Sum up a JUnit report; a missing or cut one means that pytest itself died, which counts as one failure."""
    try:
        suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    except (OSError, ElementTree.ParseError):
        return Counts(failed=1)
    total = Counts()
    for suite in suites:
        number = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        passed = max(number["tests"] - failed - number["skipped"], 0)
        told = [each.get("message", "") for kind in ("failure", "error") for each in suite.iter(kind)]
        crashed = sum("crashed while running" in message for message in told)
        total += Counts(passed=passed, failed=failed, skipped=number["skipped"], crashed=crashed)
    return total


def run(title: str, arguments: list[str]) -> Counts:
    """Run pytest and return what it counted; once more what failed while the machine stood still or crashed."""
    with StandstillWatch() as watch:
        counts = run_once(title, arguments)
    if counts.failed and watch.longest >= STANDSTILL:
        reason = f"the machine stood still for {watch.longest:.1f} s meanwhile"
    elif counts.failed and counts.crashed == counts.failed:
        reason = f"{counts.crashed} test(s) failed because their process crashed"
    else:
        return counts
    print(f"== {reason}; what failed is run once more", flush=True)
    again = run_once(f"{title}: again", [*arguments, "--last-failed", "--last-failed-no-failures=none"])
    if not again.passed + again.failed:
        return counts
    passed = counts.passed + again.passed
    return Counts(passed=passed, failed=again.failed, skipped=counts.skipped, crashed=again.crashed)


def run_once(title: str, arguments: list[str]) -> Counts:
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
        slowest = ["--durations=15", "--durations-min=5"]
        command = [sys.executable, "-m", "pytest", "-q", *slowest, f"--junitxml={report}", *arguments]
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
