"""Memory that a training needs does not grow with the bag."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(400)  # the first run on a machine compiles

PROGRAM = Path(__file__).with_name("long_training.py")
MOST_GROWTH = 30e6  # [bytes] by 2.5 minutes; all in memory, 8 minutes took 1070 MB


def peak(folder: Path, minutes: float) -> int:
    folder.mkdir()
    command = [sys.executable, str(PROGRAM), str(folder), str(60.0 * minutes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.splitlines()[-1])


def test_a_bag_of_three_minutes_takes_as_much_as_one_of_half_a_minute(tmp_path):
    short, long = peak(tmp_path / "short", 0.5), peak(tmp_path / "long", 3.0)
    assert long - short < MOST_GROWTH
    assert not list(tmp_path.glob("**/.ttdm_*"))
