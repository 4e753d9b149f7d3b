"""Every weighting against its formula, on random numbers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ttdm_ros.errors import ConfigError
from ttdm_ros.training.sensitivities import SampleSensitivities
from ttdm_ros.training.weightings import Context, find_weighting, weightings

N, P = 40, 3


def make_context(*, floor=0.0, clip=1e9, seed=0, none=False):
    random = np.random.default_rng(seed)
    good = random.uniform(size=N) > 0.2
    sensitivities = SampleSensitivities(
        p=P,
        g=random.normal(size=(N, P, 7, 14)) * random.lognormal(0.0, 1.0, (N, 1, 1, 1)) * good[:, None, None, None],
        value_gradient=random.normal(size=(N, P, 14)) * good[:, None, None],
        good=good,
        reasons={},
    )
    return Context(
        x=random.normal(size=(N, P + 1, 14)) * np.arange(1.0, 15.0),
        training=random.uniform(size=N) > 0.3,
        sensitivities=None if none else sensitivities,
        floor=floor,
        clip=clip,
    )


def loss(name, context, errors):
    """Loss of each sample (N,), the way the trainer forms it."""
    weighting = find_weighting(name)
    factors = weighting.factors(context)
    total = np.zeros(len(errors))
    if factors.full is not None:
        parts = np.einsum("npri,npi->npr", np.broadcast_to(factors.full, (N, *factors.full.shape[1:])), errors)
        total += np.square(parts.sum(axis=1)).sum(axis=1) if weighting.coupled else np.square(parts).sum(axis=(1, 2))
    if factors.diagonal is not None:
        total += np.square(factors.diagonal * errors).sum(axis=(1, 2))
    return total


@pytest.fixture
def errors():
    return np.random.default_rng(9).normal(size=(N, P, 14))


def g(context):
    return context.sensitivities.g


def formulas(context, e):
    """Of DESIGN's table."""
    chosen = context.training & context.sensitivities.good
    mean = np.mean([[gk.T @ gk for gk in sample] for sample in g(context)[chosen]], axis=0)
    return {
        "mse": [sum(ek @ ek for ek in sample) for sample in e],
        "variance": [
            sum(np.sum((ek / context.x[context.training, 0].std(axis=0)) ** 2) for ek in sample) for sample in e
        ],
        "sensitivity": [
            sum(np.sum((gk @ ek) ** 2) for gk, ek in zip(*s, strict=True)) for s in zip(g(context), e, strict=True)
        ],
        "sensitivity_coupled": [
            np.sum(sum(gk @ ek for gk, ek in zip(*s, strict=True)) ** 2) for s in zip(g(context), e, strict=True)
        ],
        "sensitivity_diagonal": [
            sum(np.diag(gk.T @ gk) @ ek**2 for gk, ek in zip(*s, strict=True)) for s in zip(g(context), e, strict=True)
        ],
        "sensitivity_mean": [sum(ek @ wk @ ek for wk, ek in zip(mean, sample, strict=True)) for sample in e],
        "value_gradient": [
            np.sum((slope * sample) ** 2) for slope, sample in zip(context.sensitivities.value_gradient, e, strict=True)
        ],
    }


GIVEN = [name for name in weightings() if name != "learned_metric"]  # that one has to be learned: test_learned_metric


def test_every_weighting_has_a_test(errors):
    here = formulas(make_context(), errors)
    others = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert set(here) <= set(GIVEN)
    assert [name for name in weightings() if name not in here and f'"{name}"' not in others] == []


def test_what_derives_from_a_weighting_can_be_chosen_too():
    """In a process of its own, as a class that is there can be chosen everywhere."""
    script = (
        "from ttdm_ros.training.weightings import find_weighting, weightings\n"
        "class Finer(type(find_weighting('sensitivity'))):\n    name = 'finer'\n"
        "assert isinstance(find_weighting('finer'), Finer)\n"
        "assert type(find_weighting('sensitivity')).__name__ == 'Sensitivity', weightings()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", list(formulas(make_context(), np.zeros((N, P, 14)))))
def test_the_loss_is_that_of_the_formula(name, errors):
    context = make_context()
    np.testing.assert_allclose(loss(name, context, errors), formulas(context, errors)[name], rtol=1e-9)


@pytest.mark.parametrize("name", ["sensitivity", "sensitivity_coupled"])
def test_the_floor_mixes_in_the_metrics_own_diagonal(name, errors):
    context, bare = make_context(floor=0.3), make_context()
    parts = formulas(bare, errors)
    expected = 0.7 * np.array(parts[name]) + 0.3 * np.array(parts["sensitivity_diagonal"])
    np.testing.assert_allclose(loss(name, context, errors), expected, rtol=1e-9)


def test_the_floor_sees_errors_that_the_metric_does_not():
    context = make_context(floor=0.1)
    unseen = np.zeros((N, P, 14))
    unseen[:, 0] = [np.linalg.svd(sample[0])[2][-1] for sample in g(context)]
    assert loss("sensitivity", make_context(), unseen).max() < 1e-20
    good = context.sensitivities.good
    assert loss("sensitivity", context, unseen)[good].min() > 0.0


def test_coupled_errors_cancel(errors):
    context = make_context()
    errors = errors.copy()
    for i in range(N):  # what step 0 does to the first torque, step 1 undoes
        effect = g(context)[i, 0] @ errors[i, 0]
        errors[i, 1] = -np.linalg.lstsq(g(context)[i, 1], effect, rcond=None)[0]
        errors[i, 2] = 0.0
    good = context.sensitivities.good
    assert loss("sensitivity_coupled", context, errors)[good].max() < 1e-18
    assert loss("sensitivity", context, errors)[good].min() > 1e-3


@pytest.mark.parametrize("clip", [0.5, 2.0])
def test_no_sample_weighs_more_than_so_many_medians(clip):
    context, bare = make_context(clip=clip), make_context()
    for clipped, whole in ((context.g, bare.g), (context.value_gradient, bare.value_gradient)):
        axes = tuple(range(1, whole.ndim))
        size, before = (np.sqrt(np.square(a).sum(axis=axes)) for a in (clipped, whole))
        median = np.median(before[bare.training & bare.sensitivities.good])
        np.testing.assert_allclose(size, np.minimum(before, clip * median), rtol=1e-9)
        alike = np.abs(np.sum(clipped * whole, axis=axes) - size * before)
        assert alike.max() < 1e-9 * before.max() ** 2  # shortened, not turned


def test_weightings_that_need_sensitivities_say_so():
    context = make_context(none=True)
    for name, kind in weightings().items():
        if kind.needs_sensitivities:
            with pytest.raises(ConfigError, match="ttdm sensitivities"):
                find_weighting(name).factors(context)
        else:
            find_weighting(name).factors(context)


def test_an_unknown_weighting_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="no weighting 'best'; known: mse, variance"):
        find_weighting("best")
