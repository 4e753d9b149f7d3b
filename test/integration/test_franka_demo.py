"""The demo on an FR3 behind its network protocol, as it is typed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.franka.environment import driver_python, simulator_python

try:
    driver_python(), simulator_python()
except PlantError as error:
    pytest.skip(str(error), allow_module_level=True)


def demo(*options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ttdm_ros.cli", "demo", "--franka", "--output", str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.timeout(300)
def test_the_demo_drives_and_records_a_simulated_fr3(tmp_path: Path) -> None:
    done = demo("--no-learning", "--duration", "4", folder=tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert 0.5 < summary["tracking"]["rmse_mm"] < 60.0  # 1.5 kg and friction that the model does not know
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000


def test_an_arm_that_is_no_fr3_is_refused(tmp_path: Path) -> None:
    done = demo("--robot", "panda", folder=tmp_path / "out")
    assert done.returncode == 1
    assert "is an FR3, and panda is none; give fr3" in done.stderr
    assert "Traceback" not in done.stderr
