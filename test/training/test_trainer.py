"""The trainer on a small problem whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from ttdm_ros.dynamics.nominal import nominal_batch
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.errors import ConfigError, StorageError
from ttdm_ros.training.config import TrainingConfig
from ttdm_ros.training.dataset import cut, spaced_starts
from ttdm_ros.training.metrics import measure, measure_nominal
from ttdm_ros.training.resume import ResumeFile
from ttdm_ros.training.sensitivities import SampleSensitivities
from ttdm_ros.training.trainer import fine_tune, train_base
from ttdm_ros.training.weightings import Factors, Mse, find_weighting, weightings

pytestmark = pytest.mark.usefixtures("one_thread")

P = 3
SMALL = TrainingConfig(
    specification=ModelSpecification(hidden=(6,), inputs=("q", "v")),
    p=P,
    base_steps=600,
    steps=150,
    base_batch=64,
    batch=64,
    validate_every=25,
    rate=2e-3,
    weight_decay=1e-3,
    metric_steps=5,
)


@pytest.fixture(scope="module")
def windows(new_drive, panda):
    """More than six units can learn: each joint has its own friction and spring."""

    def residual(z):
        q, v = z[:, :7] - panda.home, z[:, 7:14]
        return -3.0 * np.tanh(v / 0.05) - 20.0 * np.roll(q, 1, axis=1) * v

    trajectories = [new_drive(residual, seed=seed, count=400) for seed in range(2)]
    return cut(trajectories, spaced_starts(trajectories, P), P, nominal_batch(panda))


@pytest.fixture(scope="module")
def sensitivities(windows):
    """Only joints 2 and 5 matter."""
    count, random = len(windows), np.random.default_rng(0)
    g = np.zeros((count, P, 7, 14))
    for joint in (2, 5):
        g[:, :, joint, joint] = 10.0
        g[:, :, joint, 7 + joint] = 1.0
    good = random.uniform(size=count) > 0.1
    return SampleSensitivities(
        p=P,
        g=g * good[:, None, None, None],
        value_gradient=random.normal(size=(count, P, 14)),
        good=good,
        reasons={"not_convex": int((~good).sum())},
    )


@pytest.fixture(scope="module")
def base(windows):
    return train_base(windows, SMALL, [0, 1], robot="panda")


def tune(base, windows, sensitivities, panda, names, config=SMALL, **options):
    chosen = [find_weighting(name) for name in names]
    return fine_tune(base.models, chosen, windows, sensitivities, nominal_batch(panda), config, **options)


def fingerprints(trained):
    return [model.fingerprint for model in trained.models]


def test_the_checkpoint_explains_much_of_what_the_nominal_arm_does_not(base, windows, panda):
    for metrics in measure(base.models, windows, nominal_batch(panda)):
        assert metrics.explained > 0.3
        assert metrics.rmse[0, 7:].mean() < measure_nominal(windows, nominal_batch(panda)).rmse[0, 7:].mean()
    assert all(model.robot == "panda" for model in base.models)


def test_seeds_differ_and_each_is_reproducible(base, windows):
    again = train_base(windows, SMALL, [0, 1], robot="panda")
    assert fingerprints(again) == fingerprints(base)
    assert len(set(fingerprints(base))) == 2


def test_every_loss_is_one_at_the_checkpoint(base, windows, sensitivities, panda):
    looks = []
    config = SMALL.model_copy(update={"steps": 0})
    trained = tune(base, windows, sensitivities, panda, weightings(), config, on_progress=looks.append)
    (look,) = [look for look in looks if look.stage == "fine-tuning"]
    np.testing.assert_allclose(look.validation, 1.0, rtol=1e-5)
    assert len(trained.models) == 2 * len(weightings())
    for model, checkpoint in zip(trained.models, base.models * len(weightings()), strict=True):
        np.testing.assert_allclose(model.packed(), checkpoint.packed(), rtol=1e-5, atol=1e-6)


def test_the_first_training_loss_is_of_training_samples(base, windows, sensitivities, panda):
    config = SMALL.model_copy(update={"steps": 1, "validate_every": 1})
    history = tune(base, windows, sensitivities, panda, ["mse"], config).history
    first, after_a_step = history.training
    assert first == after_a_step  # both of the checkpoint, on the batch of the first step
    assert first != history.validation[0]


def test_fine_tuning_is_deterministic_and_weightings_gain(base, windows, sensitivities, panda):
    first, second = (tune(base, windows, sensitivities, panda, weightings()) for _ in range(2))
    assert fingerprints(first) == fingerprints(second)
    assert max(first.best) <= 1.0
    assert np.median(first.best) < 0.9
    assert [m.name for m in first.models[:3]] == ["mse_0", "mse_1", "variance_0"]


def test_the_best_parameters_are_kept_not_the_last(base, windows, sensitivities, panda):
    wild = SMALL.model_copy(update={"rate": 0.5, "steps": 60, "validate_every": 5})
    trained = tune(base, windows, sensitivities, panda, ["mse"], wild)
    losses = np.array(trained.history.validation)
    np.testing.assert_allclose(trained.best, losses.min(axis=0), rtol=1e-3)
    assert (losses[-1] > 1.02 * np.array(trained.best)).any()
    kept = SMALL.model_copy(update={"steps": 0})
    before = tune(base, windows, sensitivities, panda, ["mse"], kept)
    cost = [np.square(m.rmse).sum() for m in measure(trained.models, windows, nominal_batch(panda))]
    reference = [np.square(m.rmse).sum() for m in measure(before.models, windows, nominal_batch(panda))]
    assert all(a < 1.01 * b for a, b in zip(cost, reference, strict=True))


def test_patience_ends_a_training_that_no_longer_gains(base, windows, sensitivities, panda):
    wild = SMALL.model_copy(update={"rate": 1.0, "steps": 2000, "validate_every": 5, "patience": 3})
    assert tune(base, windows, sensitivities, panda, ["mse"], wild).history.step[-1] < 500


def test_sensitivity_ends_lower_in_its_own_metric_than_mse(base, windows, sensitivities, panda):
    longer = SMALL.model_copy(update={"steps": 400})
    trained = tune(base, windows, sensitivities, panda, ["mse", "sensitivity"], longer)
    cost = [m.cost for m in measure(trained.models, windows, nominal_batch(panda), sensitivities)]
    errors = [np.square(m.rmse).sum() for m in measure(trained.models, windows, nominal_batch(panda))]
    for seed in range(2):
        assert cost[2 + seed] < 0.9 * cost[seed]
        assert errors[seed] < errors[2 + seed]


def test_samples_that_were_not_solved_do_not_count(base, windows, sensitivities, panda):
    spoilt = SampleSensitivities(
        p=P,
        g=np.where(sensitivities.good[:, None, None, None], sensitivities.g, 1e6),
        value_gradient=sensitivities.value_gradient,
        good=sensitivities.good,
        reasons={},
    )
    config = SMALL.model_copy(update={"steps": 30})
    found = [tune(base, windows, each, panda, ["sensitivity"], config) for each in (sensitivities, spoilt)]
    assert fingerprints(found[0]) == fingerprints(found[1])


def test_without_sensitivities_a_weighting_that_needs_them_is_refused(base, windows, panda):
    with pytest.raises(ConfigError, match="ttdm sensitivities"):
        tune(base, windows, None, panda, ["sensitivity"])


@pytest.mark.parametrize("names", [["sensitivity"], ["variance"]], ids=str)
@pytest.mark.parametrize("purpose", ["training", "validation"])
def test_without_one_solved_sample_nothing_is_tuned(base, windows, sensitivities, panda, names, purpose):
    unsolved = replace(sensitivities, good=sensitivities.good & ~getattr(windows, purpose))
    with pytest.raises(ConfigError, match=rf"no sample for {purpose} has sensitivities .*; record for longer"):
        tune(base, windows, unsolved, panda, names)


def test_errors_without_sensitivities_are_measured_and_cost_nothing_that_is_known(base, windows, sensitivities, panda):
    unsolved = replace(sensitivities, good=sensitivities.good & ~windows.validation)
    for metrics in measure(base.models, windows, nominal_batch(panda), unsolved):
        assert metrics.cost is None
        assert metrics.explained > 0.3


def test_a_checkpoint_whose_errors_cost_no_finite_number_is_refused(base, windows, panda):
    class Endless(Mse):  # has no name of its own: it would be among the weightings of other tests
        def factors(self, context):
            return Factors(diagonal=np.full((1, context.p, 14), 1e30))  # its square is too large in single precision

    with pytest.raises(ConfigError, match="no finite number for mse_0; lower base_rate"):
        fine_tune(base.models, [Endless()], windows, None, nominal_batch(panda), SMALL)


class StopError(Exception):
    pass


def test_an_interrupted_training_ends_like_one_that_was_not(base, windows, sensitivities, panda, tmp_path):
    whole = tune(base, windows, sensitivities, panda, ["mse", "sensitivity"])
    resume = ResumeFile(tmp_path / "state", "key")

    def stop(progress):
        if progress.step >= 75:
            raise StopError

    with pytest.raises(StopError):
        tune(base, windows, sensitivities, panda, ["mse", "sensitivity"], resume=resume, on_progress=stop)
    looks = []
    resumed = tune(base, windows, sensitivities, panda, ["mse", "sensitivity"], resume=resume, on_progress=looks.append)
    assert looks[0].step > 25
    assert fingerprints(resumed) == fingerprints(whole)
    assert resumed.history.step == whole.history.step


def test_the_state_of_another_training_is_not_taken(tmp_path, base, windows):
    path = tmp_path / "state"
    short = SMALL.model_copy(update={"base_steps": 50})
    train_base(windows, short, [0], resume=ResumeFile(path, "one"))
    assert ResumeFile(path, "one").read() is not None
    assert ResumeFile(path, "two").read() is None
    path.write_bytes(b"not a state")
    assert ResumeFile(path, "one").read() is None


def test_a_disk_that_takes_no_state_is_told_in_a_sentence(tmp_path, windows):
    resume = ResumeFile(tmp_path / "gone" / "state", "key")
    with pytest.raises(StorageError, match=r"cannot be written \(No such file or directory\); make room"):
        train_base(windows, SMALL, [0], resume=resume)


@pytest.mark.parametrize("specification", [{"structure": "full"}, {"inputs": ("q", "v", "tau")}], ids=str)
def test_other_specifications_train_too(windows, sensitivities, panda, specification):
    chosen = ModelSpecification(hidden=(6,), **specification)
    config = SMALL.model_copy(update={"specification": chosen, "base_steps": 400, "steps": 30})
    base = train_base(windows, config, [0])
    trained = tune(base, windows, sensitivities, panda, ["mse", "sensitivity"], config)
    assert max(trained.best) <= 1.0
    assert base.best[0] < 1.0
