"""`ttdm study arm --quick`, as it is typed."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(900)
def test_the_quick_form_does_every_part_of_the_study(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ttdm_ros.cli", "study", "arm", "--quick", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "training and driving" in done.stdout
    figures = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert set(figures["normalised_reduction"]["sensitivity"]) == {"1", "4"}
    assert figures["failures"] == 0
    assert figures["seconds"] > 0
    assert len(figures["claims"]) == 5
    assert figures["command"].startswith("ttdm study arm --quick")
    with (tmp_path / "out" / "table.csv").open() as file:
        experiments = {line["experiment"] for line in csv.DictReader(file)}
    assert experiments == {"main", "capacity", "data", "variants"}
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()


def test_a_study_without_a_quick_form_is_told() -> None:
    command = [sys.executable, "-m", "ttdm_ros.cli", "study", "mine.yaml", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "ttdm: there is no quick form of mine.yaml; leave --quick out, or give it with arm\n"
