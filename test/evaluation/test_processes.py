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


def test_what_is_said_arrives_line_by_line_and_answers_come_back(log: Path) -> None:
    program = "import sys\nfor line in sys.stdin: print('heard', line.strip(), flush=True)"
    with ProcessGroup() as group:
        lines = group.start("child", python(program), log=log, pipe=True)
        for word in ("one", "two"):
            group.say("child", word)
            assert lines.readline() == f"heard {word}\n"


def test_a_process_that_is_gone_cannot_be_told_anything(log: Path) -> None:
    with ProcessGroup() as group:
        lines = group.start("child", python("import sys; sys.exit('enough')"), log=log, pipe=True)
        assert lines.read() == ""
        with pytest.raises(ProcessError, match=r"(?s)child does not listen any more.*enough"):
            until(lambda: bool(group.say("child", "anything")))


def test_one_that_may_end_is_polled_and_forgotten_once_it_has(log: Path) -> None:
    with ProcessGroup() as group:
        group.start("child", python("import sys; sys.stdin.read(); sys.exit(3)"), log=log, pipe=True, may_end=True)
        assert group.poll("child") is None
        group._children["child"].process.stdin.close()
        codes: list[int | None] = [None]
        until(lambda: codes.append(group.poll("child")) or codes[-1] is not None)
        assert codes[-1] == 3
        group.start("child", python("pass"), log=log, may_end=True)  # the name is free again
    assert [ended.name for ended in group.ended] == ["child"]


def test_the_end_of_one_that_may_end_is_no_early_death(log: Path) -> None:
    """Whoever watches the others looks at them between two polls, and the program may end in between."""
    with ProcessGroup() as group:
        group.start("child", python("raise SystemExit(3)"), log=log, may_end=True)
        until(lambda: group._children["child"].process.poll() is not None)
        group.check()
        assert group.poll("child") == 3


NICENESS = "import os; print(os.nice(0))"


@pytest.mark.parametrize("niceness", [0, 7])
def test_a_process_steps_back_by_its_niceness(log: Path, niceness: int) -> None:
    here = os.nice(0)
    with ProcessGroup() as group:
        lines = group.start("child", python(NICENESS), log=log, pipe=True, niceness=niceness)
        assert int(lines.readline()) == min(here + niceness, 19)


def test_to_go_before_others_takes_rights_and_without_them_it_starts_all_the_same(log: Path) -> None:
    """The group is that of a process without the right CAP_SYS_NICE, which not even the user root then has."""
    parent = f"""
        import ctypes, os, sys
        from pathlib import Path
        from ttdm_ros.evaluation.processes import ProcessGroup
        PR_CAPBSET_DROP, CAP_SYS_NICE = 24, 23
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0)  # programs started from now on lack it
        with ProcessGroup() as group:
            lines = group.start("child", [sys.executable, "-c", {NICENESS!r}], log=Path({str(log)!r}), pipe=True,
                                niceness=-5)
            print(os.nice(0), lines.read(), flush=True)
    """
    done = subprocess.run(python(parent), capture_output=True, text=True, check=True)
    before, after = (int(word) for word in done.stdout.split())
    assert after == before
    assert log.read_text() == ""
