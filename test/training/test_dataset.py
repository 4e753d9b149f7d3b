"""Windows and their split."""

import dataclasses

import numpy as np
import pytest

from ttdm_ros.dynamics.nominal import nominal_batch
from ttdm_ros.errors import BagError
from ttdm_ros.training.dataset import cut, spaced_starts

P = 4


@pytest.fixture
def trajectories(new_drive):
    return [new_drive(lambda z: np.ones((1, 7)), seed=seed, count=count) for seed, count in ((0, 400), (1, 90))]


def test_training_and_validation_share_no_sample(trajectories, panda):
    starts = spaced_starts(trajectories, P)
    for seed in range(5):
        windows = cut(trajectories, starts, P, nominal_batch(panda), seed=seed)
        states = {True: set(), False: set()}
        for kind, mask in ((True, windows.training), (False, windows.validation)):
            states[kind] = {x.tobytes() for x in windows.x[mask].reshape(-1, 14)}
        assert states[True]
        assert states[False]
        assert not states[True] & states[False]
        assert not (windows.training & windows.validation).any()


def test_about_the_share_that_is_asked_for_is_set_aside_and_seeds_choose_differently(trajectories, panda):
    starts = spaced_starts(trajectories, P)
    masks = [
        cut(trajectories, starts, P, nominal_batch(panda), validation_share=0.3, seed=seed).validation
        for seed in range(4)
    ]
    assert all(0.1 < mask.mean() < 0.5 for mask in masks)
    assert any((mask != masks[0]).any() for mask in masks[1:])


def test_the_residual_is_what_the_nominal_arm_does_not_explain(trajectories, panda):
    windows = cut(trajectories, spaced_starts(trajectories, P), P, nominal_batch(panda))
    np.testing.assert_allclose(windows.residual, 1.0, atol=1e-9)
    np.testing.assert_allclose(windows.taken - windows.nominal, 1.0, atol=1e-9)
    assert windows.z.shape == (len(windows), P, 21)


def test_saturated_steps_start_no_rollout(trajectories):
    saturated = np.zeros(len(trajectories[0]), dtype=bool)
    saturated[50] = True
    marked = dataclasses.replace(trajectories[0], saturated=saturated)
    (starts,) = spaced_starts([marked], P)
    assert set(range(len(marked) - P)) - set(starts.tolist()) == {47, 48, 49, 50}


def test_spacing_leaves_samples_out(trajectories):
    starts = spaced_starts(trajectories, P, 7)
    assert all((np.diff(each) == 7).all() for each in starts)


def test_nothing_to_train_on_is_told(trajectories, panda):
    with pytest.raises(BagError, match="no sample to train on"):
        cut([], [], P, nominal_batch(panda))
    short = trajectories[0].part(0, P + 2)
    with pytest.raises(BagError, match="too few"):
        cut([short], spaced_starts([short], P), P, nominal_batch(panda))


def test_trajectories_of_different_steps_are_refused(trajectories, panda):
    other = dataclasses.replace(trajectories[1], dt=0.04)
    both = [trajectories[0], other]
    with pytest.raises(BagError, match="different steps"):
        cut(both, spaced_starts(both, P), P, nominal_batch(panda))
