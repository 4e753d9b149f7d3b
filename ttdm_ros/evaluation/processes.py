"""Child processes that are started together, watched, and stopped in order; none outlives the process that made it."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ttdm_ros.errors import TtdmError

_LOG_LINES = 15  # of a dead process' log in an error
_POLL_S = 0.05

# Runs in the child before the program proper. The kernel sends SIGTERM when the parent dies, however it dies; this
# survives exec. Done in a program of its own, as code between fork and exec is not safe in a process with threads.
# A shell that starts a job in the background lets it ignore SIGINT, and that would be inherited.
_ADOPT = """
import ctypes, os, signal, sys
if ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM, 0, 0, 0):
    sys.exit(f"prctl failed: {os.strerror(ctypes.get_errno())}")
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent process is gone")
signal.signal(signal.SIGINT, signal.SIG_DFL)
niceness = int(sys.argv[2])
try:
    os.nice(niceness)
    with open("/proc/self/autogroup", "w") as group:  # a session of its own is a group of its own, which this weighs
        group.write(str(niceness))
except OSError:
    pass  # going before others takes rights, and grouping may be off: then all are equal
os.execvp(sys.argv[3], sys.argv[3:])
"""


class ProcessError(TtdmError):
    """A child process cannot be started, or ended when it should not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a process may take to end [s], after SIGINT and then after SIGTERM; SIGKILL follows."""

    interrupt: float = 30.0
    terminate: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended: its exit code (negative: the signal that killed it), and what was wrong, None if nothing."""

    name: str
    code: int
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Child:
    process: subprocess.Popen[str]
    log: Path
    patience: Patience
    may_end: bool


class ProcessGroup:
    """Processes started one after the other, and stopped in the opposite order at the end of a ``with`` block.

    Every process has a session of its own: Ctrl-C in a terminal reaches this process only, which then stops the others
    in order. Should this process be killed, the kernel sends each of them SIGTERM (Linux).

    Attributes:
        ended: how the processes that were stopped ended, in that order.
    """

    def __init__(self) -> None:
        """Start with no process."""
        self.ended: list[Ended] = []
        self._children: dict[str, _Child] = {}

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        patience: Patience | None = None,
        pipe: bool = False,
        niceness: int = 0,
        may_end: bool = False,
    ) -> IO[str] | None:
        """Start a process.

        Args:
            name: what it is called in messages.
            command: program and arguments.
            log: file for what it prints, overwritten.
            environment: variables set besides the present ones.
            patience: how long it may take to end.
            pipe: whether its standard output is returned instead of going into the log, and ``say`` reaches its
                standard input.
            niceness: by how much it steps back for others on a busy machine; negative to go before them, if allowed.
            may_end: whether it may end by itself, which ``check`` then passes over and ``poll`` tells.

        Returns:
            Its standard output if ``pipe`` is set.

        Raises:
            ProcessError: the log cannot be written, or no process can be made.
        """
        if name in self._children:
            raise ProcessError(f"a process named {name} runs already; stop it first")
        try:
            with log.open("w", encoding="utf-8") as file:
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", _ADOPT, str(os.getpid()), str(niceness), *command],
                    env=os.environ | {"PYTHONUNBUFFERED": "1"} | dict(environment or {}),
                    stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if pipe else file,
                    stderr=file if pipe else subprocess.STDOUT,
                    text=True,
                    start_new_session=True,
                )
        except OSError as error:
            raise ProcessError(f"{name} cannot be started ({error}); check that {log.parent} can be written") from error
        self._children[name] = _Child(process=process, log=log, patience=patience or Patience(), may_end=may_end)
        return process.stdout

    def pid(self, name: str) -> int:
        """Return the id of a running process."""
        return self._children[name].process.pid

    def say(self, name: str, line: str) -> None:
        """Write a line to the standard input of a process that was started with ``pipe``.

        Raises:
            ProcessError: it does not read any more.
        """
        child = self._children[name]
        assert child.process.stdin is not None, "only a process with a pipe can be told something"
        try:
            child.process.stdin.write(line + "\n")
            child.process.stdin.flush()
        except OSError as error:
            raise ProcessError(f"{name} does not listen any more ({error}); {_last_words(child.log)}") from error

    def poll(self, name: str) -> int | None:
        """Return the exit code of a process that may end by itself, None while it runs; once ended it is forgotten."""
        child = self._children[name]
        code = child.process.poll()
        if code is not None:
            del self._children[name]
        return code

    def check(self) -> None:
        """Look whether every process still runs that may not end by itself.

        Raises:
            ProcessError: one has ended; the message gives its exit code and the last lines of its log.
        """
        for name, child in self._children.items():
            code = None if child.may_end else child.process.poll()
            if code is not None:
                raise ProcessError(f"{name} ended too early ({_how(code)}); {_last_words(child.log)}")

    def stop(self, name: str) -> Ended:
        """Ask a process to end with SIGINT, insist with SIGTERM, then kill it and all it started; tell how it ended."""
        child = self._children[name]
        problem = None
        code = child.process.poll()
        if code is None:
            code, problem = _end(child)
        if problem is None and code != 0:
            problem = f"ended with {_how(code)}"
        if problem is not None:
            problem = f"{name} {problem}; {_last_words(child.log)}"
        del self._children[name]
        self.ended.append(Ended(name=name, code=code, problem=problem))
        return self.ended[-1]

    def stop_all(self) -> list[Ended]:
        """Stop what still runs, the last started first; return all that ended. Ctrl-C meanwhile kills at once."""
        try:
            for name in reversed(list(self._children)):
                self.stop(name)
        except BaseException:
            for name, child in reversed(self._children.items()):
                code = _kill(child.process)
                self.ended.append(Ended(name=name, code=code, problem=f"{name} was killed"))
            self._children.clear()
            raise
        return self.ended

    def __enter__(self) -> Self:
        """Return the group itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what still runs, whatever happened."""
        self.stop_all()


def _end(child: _Child) -> tuple[int, str | None]:
    """Return the exit code, and what it took if SIGINT was not enough."""
    for number, seconds in ((signal.SIGINT, child.patience.interrupt), (signal.SIGTERM, child.patience.terminate)):
        child.process.send_signal(number)
        code = _wait(child.process, seconds)
        if code is not None:
            ignored = f"did not end within {child.patience.interrupt:g} s of SIGINT and had to be sent SIGTERM"
            return code, None if number == signal.SIGINT else ignored
    return _kill(child.process), "ended neither by SIGINT nor by SIGTERM and had to be killed"


def _wait(process: subprocess.Popen[str], seconds: float) -> int | None:
    """Return the exit code, None if the process still runs after so many seconds."""
    deadline = time.monotonic() + seconds
    while (code := process.poll()) is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return code


def _kill(process: subprocess.Popen[str]) -> int:
    """Kill a process and its group; return its exit code."""
    if process.poll() is None:  # while it is not reaped, no other process can have its id
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _last_words(log: Path) -> str:
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            lines = [line.rstrip() for line in deque(file, _LOG_LINES)]
    except OSError:
        lines = []
    if not any(lines):
        return f"it printed nothing ({log})"
    return f"the end of {log}:\n" + "\n".join(f"    {line}" for line in lines)
