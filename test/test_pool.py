"""Processes that share work: they are prepared, they do it, and they do not outlive the one that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ttdm_ros.pool import pool

HOLD = """
import os, sys, time
from ttdm_ros.pool import pool

if __name__ == "__main__":
    with pool(1) as workers:
        print(workers.submit(os.getpid).result(), flush=True)
        workers.submit(time.sleep, 600.0).result()
"""
PATIENCE = 30.0  # [s]


def test_work_is_done_in_other_processes_that_were_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TTDM_PREPARED", raising=False)
    with pool(2, os.putenv, "TTDM_PREPARED", "7") as workers:
        pids = [workers.submit(os.getpid).result() for _ in range(4)]
        found = workers.submit(subprocess.check_output, ["sh", "-c", "echo $TTDM_PREPARED"]).result()
    assert os.getpid() not in pids
    assert found == b"7\n"
    assert "TTDM_PREPARED" not in os.environ


def test_an_error_of_the_work_ends_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), pool(1) as workers:
        workers.submit(os.stat, tmp_path / "none").result()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_with_the_process_that_started_them(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "hold.py"
    script.write_text(HOLD)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    os.kill(worker, 0)  # it is there
    parent.send_signal(how)
    parent.wait(PATIENCE)
    parent.stdout.close()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        if "Z" in Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0]:
            return  # ended; whoever inherited it has not taken note yet
        time.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("it outlived the process that started it")
