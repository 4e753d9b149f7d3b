"""Real child processes: what they print, how they are stopped, and that none is left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ttdm_ros.evaluation.processes import Patience, ProcessError, ProcessGroup

SHORT = Patience(interrupt=0.3, terminate=0.3)
LONG = Patience(interrupt=60.0, terminate=60.0)
POLITE = """
    import signal, sys, time
    signal.signal(signal.SIGINT, lambda *_: (print("leaving", flush=True), sys.exit(0)))
    print("ready", flush=True)
    while True: time.sleep(0.02)
"""
DEAF_TO_SIGINT = """
    import signal, time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("ready", flush=True)
    while True: time.sleep(0.02)
"""
DEAF = """
    import signal, subprocess, sys, time
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    helper = subprocess.Popen(["sleep", "1000"])
    print(helper.pid, flush=True)
    while True: time.sleep(0.02)
"""


def python(program: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(program)]


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must happen, so long that only a defect makes it fail."""
    limit = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "child.log"


def start(group: ProcessGroup, program: str, log: Path, *, name: str = "child", patience: Patience = LONG) -> int:
    """Start a program and wait until it has printed something."""
    group.start(name, python(program), log=log, patience=patience)
    until(lambda: log.stat().st_size > 0)
    return group.pid(name)


def test_a_process_that_heeds_sigint_ends_without_a_problem(log: Path) -> None:
    with ProcessGroup() as group:
        pid = start(group, POLITE, log)
        group.check()
        ended = group.stop("child")
    assert (ended.code, ended.problem) == (0, None)
    assert log.read_text() == "ready\nleaving\n"
    assert not runs(pid)


def test_a_process_that_ignores_sigint_is_sent_sigterm_and_that_is_reported(log: Path) -> None:
    with ProcessGroup() as group:
        start(group, DEAF_TO_SIGINT, log, patience=SHORT)
        ended = group.stop("child")
    assert ended.code == -signal.SIGTERM
    assert "child did not end within 0.3 s of SIGINT" in ended.problem


def test_a_process_that_ignores_both_is_killed_with_what_it_started(log: Path) -> None:
    with ProcessGroup() as group:
        start(group, DEAF, log, patience=SHORT)
        helper = int(log.read_text())
        ended = group.stop("child")
    assert ended.code == -signal.SIGKILL
    assert "had to be killed" in ended.problem
    until(lambda: not runs(helper))


def test_an_exit_code_other_than_zero_is_a_problem_that_shows_the_log(log: Path) -> None:
    program = POLITE.replace("sys.exit(0)", "sys.exit(7)")
    with ProcessGroup() as group:
        start(group, program, log)
        ended = group.stop("child")
    assert ended.code == 7
    assert "exit code 7" in ended.problem
    assert "    leaving" in ended.problem


def test_an_early_death_is_reported_with_the_end_of_the_log(log: Path) -> None:
    program = "import sys; [print('line', i) for i in range(100)]; sys.exit('the compiler is missing')"
    with ProcessGroup() as group:
        group.start("controller", python(program), log=log)
        with pytest.raises(ProcessError, match=r"controller ended too early \(exit code 1\)") as error:
            until(lambda: bool(group.check()))
    assert str(log) in str(error.value)
    assert "the compiler is missing" in str(error.value)
    assert "line 99" in str(error.value)
    assert "line 50" not in str(error.value)


def test_death_by_a_signal_is_reported_by_its_name(log: Path) -> None:
    with ProcessGroup() as group:
        pid = start(group, POLITE, log)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ProcessError, match="killed by SIGKILL"):
            until(lambda: bool(group.check()))


def test_a_program_that_does_not_exist_is_reported(log: Path) -> None:
    with ProcessGroup() as group:
        group.start("child", ["/nowhere/program"], log=log)
        with pytest.raises(ProcessError, match="No such file"):
            until(lambda: bool(group.check()))


def test_processes_are_stopped_in_the_opposite_order_whatever_happens(tmp_path: Path) -> None:
    group = ProcessGroup()
    with pytest.raises(ZeroDivisionError), group:
        pids = [start(group, POLITE, tmp_path / name, name=name) for name in ("first", "second", "third")]
        _ = 1 / 0
    assert [ended.name for ended in group.ended] == ["third", "second", "first"]
    assert [ended.problem for ended in group.ended] == [None] * 3
    assert not any(map(runs, pids))


def test_ctrl_c_while_stopping_kills_the_rest_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    group = ProcessGroup()
    pids = [start(group, DEAF_TO_SIGINT, tmp_path / name, name=name) for name in ("first", "second")]
    monkeypatch.setattr(group, "stop", interrupted)
    with pytest.raises(KeyboardInterrupt):
        group.stop_all()
    assert not any(map(runs, pids))
    assert [ended.code for ended in group.ended] == [-signal.SIGKILL] * 2


def test_output_can_be_read_while_errors_go_into_the_log(log: Path) -> None:
    with ProcessGroup() as group:
        lines = group.start(
            "child", python("import sys; print('out'); print('err', file=sys.stderr)"), log=log, pipe=True
        )
        assert lines.read() == "out\n"
    assert log.read_text() == "err\n"


def test_variables_are_set_besides_the_present_ones(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    with ProcessGroup() as group:
        program = "import os; print(os.environ['KEPT'], os.environ['ADDED'])"
        lines = group.start("child", python(program), log=log, environment={"ADDED": "2"}, pipe=True)
        assert lines.read() == "1 2\n"


def test_a_killed_parent_leaves_no_orphan(tmp_path: Path) -> None:
    parent = f"""
        import sys, time
        from pathlib import Path
        from ttdm_ros.evaluation.processes import ProcessGroup
        group = ProcessGroup()
        for name in ("first", "second"):
            group.start(name, [sys.executable, "-c", {textwrap.dedent(POLITE)!r}], log=Path({str(tmp_path)!r}, name))
        print(group.pid("first"), group.pid("second"), flush=True)
        time.sleep(1000)
    """
    with subprocess.Popen(python(parent), stdout=subprocess.PIPE, text=True) as process:
        pids = [int(word) for word in process.stdout.readline().split()]
        until(lambda: all((tmp_path / name).stat().st_size > 0 for name in ("first", "second")))
        assert all(map(runs, pids))
        process.kill()
    until(lambda: not any(map(runs, pids)))
