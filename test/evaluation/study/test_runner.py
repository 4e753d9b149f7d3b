"""The quick form of a study that ships: all of its parts, resumed, and refused where something does not fit."""

import csv
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.study.config import StudyConfig, load_study
from ttdm_ros.evaluation.study.folder import StudyFolder
from ttdm_ros.evaluation.study.learning import Learning
from ttdm_ros.evaluation.study.runner import StudyProgress, run_study
from ttdm_ros.evaluation.study.weights import draw_weights
from ttdm_ros.systems.arm import load_arm

Make = Callable[..., StudyConfig]

pytestmark = pytest.mark.timeout(900)  # the first run on a machine compiles


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyConfig, StudyFolder]:
    """`ttdm study arm --quick`, as it is typed."""
    home = tmp_path_factory.mktemp("study")
    command = [sys.executable, "-m", "ttdm_ros.cli", "study", "arm", "--quick", "--out", str(home / "out")]
    ended = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "training and driving" in ended.stdout
    return load_study("quick"), StudyFolder(home / "out")


def test_the_quick_form_does_every_part_of_the_study(done: tuple[StudyConfig, StudyFolder]) -> None:
    home = done[1].path
    figures = json.loads((home / "summary.json").read_text())
    assert set(figures["normalised_reduction"]["sensitivity"]) == {"1", "4"}
    assert figures["failures"] == 0
    assert figures["seconds"] > 0
    assert len(figures["claims"]) == 5
    assert figures["command"].startswith("ttdm study arm --quick")
    with (home / "table.csv").open() as file:
        experiments = {line["experiment"] for line in csv.DictReader(file)}
    assert experiments == {"main", "capacity", "data", "variants"}
    assert "<svg" in (home / "report.html").read_text()


def test_every_model_drives_every_reference(done: tuple[StudyConfig, StudyFolder]) -> None:
    study, folder = done
    reports: list[StudyProgress] = []
    rows = run_study(study, folder, on_progress=reports.append)
    assert reports == []  # nothing was left to do
    drives = Counter((row["experiment"], row["seed"], row["round"], row["p"], row["plant"]) for row in rows)
    own, other = study.plant, study.other_plants[0]
    main = {(0, 4, own): 4, (1, 1, own): 3, (1, 4, own): 4, (1, 4, other): 4}  # the checkpoint is the same for every p
    expected = {("main", seed, *setting): count for seed in (0, 1) for setting, count in main.items()}
    expected |= {(experiment, 0, 1, 4, own): 4 for experiment in ("capacity", "data")}
    assert drives == expected | {("variants", 0, 0, 4, own): 2 * len(study.variants)}
    assert {row["weighting"] for row in rows} == {"one_step", *study.weightings}
    assert {row["hidden"] for row in rows if row["experiment"] == "capacity"} == {"2"}
    assert all(row["completed"] and np.isfinite(row["excess"]) for row in rows)
    # So little training is not much, but the oracle knows 1.5 kg that the nominal model does not.
    assert rows[0]["nominal_excess"] > 0.1


def test_what_is_finished_is_not_done_again_and_comes_out_the_same(done: tuple[StudyConfig, StudyFolder]) -> None:
    study, folder = done
    main, variant = (folder.cell(name) for name in ("main_seed1_round1_p1_8", "variants_seed0_round0_p4_8_as-chosen"))
    before, stamp = main.read_text(), variant.stat().st_mtime_ns
    main.unlink()
    reports: list[StudyProgress] = []
    seconds = folder.seconds
    run_study(study, folder, jobs=1, on_progress=reports.append)
    assert main.read_text() == before
    assert folder.seconds > seconds > 0.0  # the time of all parts is kept
    assert variant.stat().st_mtime_ns == stamp
    assert (reports[-1].stage, reports[-1].done, reports[-1].total) == ("training and driving", 1, 1)


def test_fewer_recordings_are_learned_of_where_that_is_asked(done: tuple[StudyConfig, StudyFolder]) -> None:
    study, folder = done
    arm = load_arm(study.robot)
    few, whole = (Learning(study, folder, arm, 0, 0, drives).sensitivities(1) for drives in (1, None))
    assert 0 < len(few.good) < len(whole.good)
    rows = {
        row["experiment"]: row
        for row in run_study(study, folder)
        if (row["weighting"], row["seed"], row["round"], row["p"], row["plant"]) == ("mse", 0, 1, 4, study.plant)
    }
    assert (rows["data"]["recorded_s"], rows["main"]["recorded_s"]) == (6.0, 12.0)
    assert rows["data"]["error_one_step"] != rows["main"]["error_one_step"]


def test_each_variant_makes_another_model(done: tuple[StudyConfig, StudyFolder]) -> None:
    rows = [row for row in run_study(*done) if row["weighting"] == "sensitivity"]
    excess = {row["variant"]: row["excess"] for row in rows if row["experiment"] == "variants"}
    assert len(set(excess.values())) == len(excess) == len(done[0].variants) == 4


def test_the_weights_along_the_recordings_are_drawn(done: tuple[StudyConfig, StudyFolder]) -> None:
    svg = draw_weights(*done).svg("weights")
    assert "panda_joint7" in svg
    assert "k = 1" in svg


def test_a_folder_of_another_study_is_refused(done: tuple[StudyConfig, StudyFolder], make_study: Make) -> None:
    _, folder = done
    with pytest.raises(TtdmError, match="holds a study with other settings; choose another folder"):
        run_study(make_study(seeds=[7]), folder)


def test_a_damaged_result_is_named(make_study: Make, tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    folder.open(make_study())
    result = folder.cell("x")
    result.parent.mkdir()
    result.write_text('{"rows": [')
    with pytest.raises(TtdmError, match=r"x\.json cannot be read .*; delete it"):
        folder.read(result)
    recording = folder.drives("y")
    recording.parent.mkdir()
    recording.write_bytes(b"PK")
    with pytest.raises(TtdmError, match=r"y\.npz cannot be read .*; delete it"):
        folder.read_arrays(recording)


def test_a_folder_that_cannot_be_written_is_told(make_study: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TtdmError, match="cannot be written"):
        StudyFolder(tmp_path / "file" / "study").open(make_study())


def test_a_study_without_a_quick_form_is_told() -> None:
    command = [sys.executable, "-m", "ttdm_ros.cli", "study", "mine.yaml", "--quick"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "ttdm: there is no quick form of mine.yaml; leave --quick out, or give it with arm\n"


def test_results_are_json_whatever_was_found(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    folder.write(tmp_path / "a.json", {"x": float("nan"), "y": np.float64(1.0)})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": None, "y": 1.0}
