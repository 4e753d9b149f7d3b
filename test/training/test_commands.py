"""`ttdm sensitivities` and `ttdm train`: what the arguments mean, and what is told."""

import argparse
import json
import tempfile

import numpy as np
import pytest

from ttdm_ros import cli
from ttdm_ros.commands import sensitivities, train
from ttdm_ros.commands.executables import without_ros_arguments
from ttdm_ros.dynamics.bundle import save_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.training.sensitivities import SampleSensitivities

pytestmark = [
    pytest.mark.timeout(400),  # the first run on a machine compiles
    pytest.mark.usefixtures("one_thread"),
]


def test_the_command_trains_and_reports(motion, mcap, tmp_path, capsys):
    bag, out = mcap(motion.messages(), "other"), tmp_path / "trained"
    settings, model = tmp_path / "mpc.yaml", tmp_path / "nominal"
    settings.write_text("/**/mpc_controller:\n  ros__parameters:\n    mpc: {horizon: 8}\n")
    save_model(PredictionModel.nominal(ModelSpecification(hidden=(8,))), model)
    problem = ["--mpc", str(settings), "--model", str(model), "--jobs", "1"]
    arguments = [str(bag), "--p", "2", "--spacing", "12", *problem]
    sizes = ["--weighting", "mse,sensitivity", "--hidden", "8", "--base-steps", "20", "--steps", "10"]
    assert cli.main(["sensitivities", *arguments, "--out", str(tmp_path / "s")]) == 0
    assert "solved" in capsys.readouterr().out
    code = cli.main(["train", *arguments, *sizes, "--sensitivities", str(tmp_path / "s"), "--out", str(out)])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    assert json.loads((tmp_path / "s" / "manifest.json").read_text())["mpc"]["horizon"] == 8
    assert f"model    {out / 'sensitivity'}" in shown.out
    content = json.loads((out / "training.json").read_text())
    assert [each["weighting"] for each in content["models"]] == ["mse", "sensitivity"]
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 5
    assert "What matters, by joint" in page
    assert cli.main(["info", str(out / "sensitivity")]) == 0
    assert cli.main(["info", str(tmp_path / "s")]) == 0
    told = capsys.readouterr().out
    assert "sensitivity" in told
    assert "14-8-7 tanh" in told


def test_the_file_of_settings_tells_the_steps_unless_the_arguments_do(tmp_path):
    def steps(*arguments):
        parser = argparse.ArgumentParser()
        train.add_arguments(parser)
        return train._job(parser.parse_args(["bag", *arguments])).config.p

    settings = tmp_path / "training.yaml"
    settings.write_text("p: 2\n")
    assert steps() == 4
    assert steps("--config", str(settings)) == 2
    assert steps("--config", str(settings), "--p", "3") == 3


@pytest.fixture
def exported(monkeypatch):
    """What `ttdm sensitivities` would export: settings, bags, and the folders that it keeps motion in."""
    calls, make = [], tempfile.TemporaryFile

    def export(bags, settings, folder, **options):
        calls.append((settings, bags, places))
        return SampleSensitivities(
            p=settings.p,
            g=np.zeros((1, settings.p, 7, 14)),
            value_gradient=np.zeros((1, settings.p, 14)),
            good=np.ones(1, dtype=bool),
            reasons={},
        )

    places = []
    monkeypatch.setattr("ttdm_ros.training.export.export", export)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **given: places.append(given.get("dir")) or make(**given))
    return calls


def test_the_command_reads_each_bag_once_and_keeps_motion_on_the_disk_of_its_output(
    motion, mcap, tmp_path, exported, capsys
):
    bag, home = mcap(motion.messages()), tmp_path / "disk"
    home.mkdir()
    assert cli.main(["sensitivities", str(bag), str(bag), "--out", str(home / "out")]) == 0
    ((settings, bags, places),) = exported
    assert settings.p == 4
    assert [each.path for each in bags] == [bag]
    assert "and is left out" in " ".join(capsys.readouterr().out.split())
    assert set(places) == {home}


def test_delays_may_be_zero_and_that_of_the_robot_less(motion, mcap, tmp_path, exported, capsys):
    arguments = ["sensitivities", str(mcap(motion.messages())), "--out", str(tmp_path / "out")]
    assert cli.main([*arguments, "--delay", "0", "--robot-delay", "-0.001"]) == 0
    ((settings, _, _),) = exported
    assert (settings.sampling.delay, settings.sampling.robot_delay) == (0.0, -0.001)
    assert cli.main([*arguments, "--delay", "-0.001"]) == 1
    assert "'delay'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main([*arguments, "--delay", "nan"])


def test_a_drive_without_a_sample_is_refused_in_a_sentence(motion, mcap, tmp_path, capsys):
    bag = mcap([row for row in motion.messages() if row[2] < 1_700_000_000_100_000_000])  # 0.1 s, and p needs 0.16 s
    assert cli.main(["sensitivities", str(bag), "--p", "8", "--out", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr().err
    assert "there is no sample to take sensitivities of; record the arm" in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--weighting", "good"], "no weighting 'good'"),
        (["--hidden", "many"], "hidden"),
        (["--inputs", "tau,q"], "inputs must be some of q, v, tau in this order"),
        (["--p", "9"], "'p'"),
    ],
)
def test_wrong_settings_are_one_sentence(motion, mcap, tmp_path, capsys, arguments, told):
    code = cli.main(["train", str(mcap(motion.messages())), *arguments, "--out", str(tmp_path / "out")])
    shown = capsys.readouterr()
    assert code == 1
    assert told in shown.err
    assert shown.err.count("\n") == 1


def test_executables_leave_out_what_a_launch_file_adds():
    assert without_ros_arguments(["bag", "--ros-args", "-r", "__node:=a"]) == ["bag"]
    assert without_ros_arguments(["bag", "--ros-args", "-p", "a:=1", "--", "--p", "4"]) == ["bag", "--p", "4"]


@pytest.mark.parametrize("module", [train, sensitivities])
def test_the_examples_learn_from_what_the_demo_learned_from(module):
    assert "demo_output/lesson" in module.__doc__
    assert "demo_output/bag" not in module.__doc__
