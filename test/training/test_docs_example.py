"""The weighting that docs/learning.md adds as an example, with its test, just as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = """
import numpy as np
from ttdm_ros.training.context import Context
from ttdm_ros.training.weightings import Factors, Weighting, find_weighting, weightings
"""
TAIL = """
test_velocities_cost_nothing()
assert "position_only" in weightings()
"""


def test_the_example_can_be_chosen_by_its_name_and_its_test_passes() -> None:
    text = (ROOT / "docs" / "learning.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 2
    # In a process of its own: a class that derives from Weighting can be chosen everywhere from then on.
    script = "\n".join([HEAD, *blocks, TAIL])
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
