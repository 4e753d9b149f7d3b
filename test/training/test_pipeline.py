"""From bags to bundles."""

import numpy as np
import pytest

from ttdm_ros.config import load
from ttdm_ros.dynamics.bundle import DESCRIPTION, Description, load_model, save_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import BundleError, ConfigError, SensitivityError
from ttdm_ros.evaluation.training_report import render_training_report
from ttdm_ros.mpc.config import MpcConfig
from ttdm_ros.training.config import SamplingConfig, TrainingConfig
from ttdm_ros.training.job import TrainingJob
from ttdm_ros.training.pipeline import train_from_bags

pytestmark = [
    pytest.mark.timeout(400),  # the first run on a machine compiles
    pytest.mark.usefixtures("one_thread"),
]

QUICK = TrainingConfig(
    specification=ModelSpecification(hidden=(8,), inputs=("q", "v")),
    p=2,
    base_steps=40,
    steps=20,
    base_batch=32,
    batch=32,
    validate_every=10,
)


@pytest.fixture
def job(panda, motion, mcap, tmp_path):
    bag = mcap(motion.messages())

    def make(**changes):
        values = {
            "bags": (bag,),
            "arm": panda,
            "out": tmp_path / "out",
            "weightings": ("mse", "sensitivity"),
            "config": QUICK,
            "sampling": SamplingConfig(spacing=6),
            "mpc": MpcConfig(horizon=8),
            "model": PredictionModel.nominal(ModelSpecification(hidden=(8,))),
            "jobs": 1,
        }
        return TrainingJob(**(values | changes))

    return make


def test_every_weighting_and_seed_becomes_a_bundle_that_says_where_it_comes_from(job):
    outcome = train_from_bags(job(seeds=(0, 3)))
    assert [folder.name for folder in outcome.bundles] == ["mse_s0", "mse_s3", "sensitivity_s0", "sensitivity_s3"]
    for each in outcome.models:
        assert load_model(each.folder).fingerprint == each.model.fingerprint
        description = load(each.folder / DESCRIPTION, Description)
        assert description.robot == "panda"
        told = description.provenance
        assert (told["weighting"], told["seed"], told["p"]) == (each.weighting, each.seed, 2)
        assert told["bags"] == [{"name": "bag", "fingerprint": outcome.bags[0].fingerprint}]
        assert {"ttdm_ros", "torch", "numpy", "python"} == told["versions"].keys()
        assert told["sensitivities"]["solved"] == int(outcome.sensitivities.good.sum())
        assert description.metrics["explained_acceleration"] == pytest.approx(each.metrics.explained, rel=1e-4)
    assert not list(outcome.job.out.glob(".*.state"))


def test_copies_of_a_bag_train_the_same_model(job, motion, mcap, sqlite, tmp_path):
    rows, found = motion.messages(), set()
    copies = (sqlite(rows), mcap(rows, "split", split_duration=0.4))
    for i, bag in enumerate([None, *copies]):
        changes = {} if bag is None else {"bags": (bag,)}
        outcome = train_from_bags(job(out=tmp_path / f"out{i}", **changes))
        found.add(tuple(each.model.fingerprint for each in outcome.models))
    assert len(found) == 1


def test_a_bag_that_is_given_with_its_copy_counts_once(job, motion, sqlite, tmp_path):
    told = []
    once = train_from_bags(job(out=tmp_path / "once"))
    (bag,) = job().bags
    copy = sqlite(motion.messages())
    outcome = train_from_bags(job(bags=(bag, copy, bag)), announce=told.append)
    assert [each.path for each in outcome.bags] == [bag]
    assert [each.model.fingerprint for each in outcome.models] == [each.model.fingerprint for each in once.models]
    told = [sentence for sentence in told if "left out" in sentence]
    assert told == [f"{path} holds the same motion as {bag} and is left out" for path in (copy, bag)]


def test_how_large_the_parts_are_that_are_worked_on_changes_no_model(job, tmp_path, monkeypatch):
    weightings = ("mse", "variance", "sensitivity", "value_gradient")
    whole = train_from_bags(job(weightings=weightings))
    monkeypatch.setattr("ttdm_ros.training.store.ROWS", 29)
    for module in ("context", "metrics", "sensitivities"):
        monkeypatch.setattr(f"ttdm_ros.training.{module}.PART", 7)
    parts = train_from_bags(job(weightings=weightings, out=tmp_path / "parts"))
    for mine, other in zip([*whole.checkpoints, *whole.models], [*parts.checkpoints, *parts.models], strict=True):
        assert mine.model.fingerprint == other.model.fingerprint
        np.testing.assert_allclose(mine.metrics.rmse, other.metrics.rmse, rtol=1e-12)
        assert mine.metrics.cost == pytest.approx(other.metrics.cost, rel=1e-12)


def test_mse_alone_needs_no_sensitivities(job):
    outcome = train_from_bags(job(weightings=("mse", "variance")))
    assert outcome.sensitivities is None
    assert not (outcome.job.out / "sensitivities").exists()
    page = render_training_report(outcome)
    assert "No weighting of this training needed sensitivities" in page


def test_a_name_is_taken_as_it_is_for_one_model_and_as_a_beginning_for_several(job):
    assert job(weightings=("mse",), name="mine").bundle("mse", 0).name == "mine"
    assert job(name="mine").bundle("mse", 0).name == "mine_mse"
    assert job(weightings=("mse",), name="mine", seeds=(0, 1)).bundle("mse", 1).name == "mine_s1"
    assert job(name="mine").checkpoint(0).name == "mine_one_step"


def test_nothing_is_overwritten(job):
    train_from_bags(job(weightings=("mse",)))
    with pytest.raises(BundleError, match="holds a model already"):
        train_from_bags(job(weightings=("mse",)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"weightings": ("mse", "mse")}, "named once"),
        ({"weightings": ("good",)}, "no weighting 'good'"),
        ({"seeds": ()}, "at least one"),
        (
            {"config": TrainingConfig(specification=ModelSpecification(structure="nominal", hidden=()))},
            "nothing to train",
        ),
        ({"sampling": SamplingConfig(dt=0.04)}, "set both to the same"),
    ],
)
def test_a_job_that_cannot_work_is_refused_at_once(job, changes, told):
    with pytest.raises(ConfigError, match=told):
        train_from_bags(job(**changes))


def test_sensitivities_of_another_job_are_refused_and_nothing_is_written(job, tmp_path):
    folder = tmp_path / "sensitivities"
    train_from_bags(job(sensitivities=folder))
    other = job(out=tmp_path / "other", sensitivities=folder, mpc=MpcConfig(horizon=8, velocity_weight=2.0))
    with pytest.raises(SensitivityError, match=r"mpc.velocity_weight 1.0, not 2.0"):
        train_from_bags(other)
    assert not (tmp_path / "other").exists()


def test_an_interrupted_job_goes_on_and_ends_the_same(job, tmp_path):
    def leave_late(progress):
        if progress.stage == "fine-tuning" and progress.step >= 10:
            raise LeftError

    with pytest.raises(LeftError):
        train_from_bags(job(), on_training=leave_late)
    stages = []
    resumed = train_from_bags(job(), on_training=lambda progress: stages.append((progress.stage, progress.step)))
    whole = train_from_bags(job(out=tmp_path / "whole"))
    assert [m.model.fingerprint for m in resumed.models] == [m.model.fingerprint for m in whole.models]
    assert len(stages) < 9


class LeftError(Exception):
    """Stands in for whatever ends a process."""


def leave(*arguments, **options):
    raise LeftError


def test_a_job_that_is_interrupted_between_its_bundles_goes_on_and_ends_the_same(job, tmp_path, monkeypatch):
    written = []

    def save_some(model, folder, **content):
        if len(written) == 2:
            raise LeftError
        written.append(folder)
        save_model(model, folder, **content)

    with monkeypatch.context() as patch, pytest.raises(LeftError):
        patch.setattr("ttdm_ros.training.pipeline.save_model", save_some)
        train_from_bags(job())
    times = [(folder / DESCRIPTION).stat().st_mtime_ns for folder in written]
    resumed = train_from_bags(job())
    assert [(folder / DESCRIPTION).stat().st_mtime_ns for folder in written] == times
    whole = train_from_bags(job(out=tmp_path / "whole"))
    for mine, other in zip([*resumed.checkpoints, *resumed.models], [*whole.checkpoints, *whole.models], strict=True):
        assert load_model(mine.folder).fingerprint == mine.model.fingerprint == other.model.fingerprint
    assert not list(resumed.job.out.glob(".*"))


def test_a_job_whose_report_cannot_be_written_goes_on_at_its_end(job):
    with pytest.raises(LeftError):
        train_from_bags(job(weightings=("mse",)), on_outcome=leave)
    stages, outcomes = [], []
    resumed = train_from_bags(
        job(weightings=("mse",)), on_training=lambda look: stages.append(look.stage), on_outcome=outcomes.append
    )
    assert outcomes == [resumed]
    assert len(stages) == 2  # the last look of each stage
    with pytest.raises(BundleError, match="holds a model already"):
        train_from_bags(job(weightings=("mse",)))


def test_bundles_of_another_job_that_was_interrupted_are_refused_before_anything_is_trained(job):
    with pytest.raises(LeftError):
        train_from_bags(job(weightings=("mse",)), on_outcome=leave)
    other = job(weightings=("mse",), config=QUICK.model_copy(update={"rate": 1e-3}))
    with pytest.raises(BundleError, match="holds a model already"):
        train_from_bags(other, on_training=leave)
