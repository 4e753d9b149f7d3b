"""The learned metric: its gradient by closed forms and differences, and what it learns where the answer is known."""

import numpy as np
import pytest
import torch

from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.dynamics.nominal import nominal_batch
from ttdm_ros.dynamics.specification import ModelSpecification
from ttdm_ros.dynamics.torch_form import NetworkStack
from ttdm_ros.errors import ConfigError
from ttdm_ros.training import learned_metric
from ttdm_ros.training.config import TrainingConfig
from ttdm_ros.training.context import Context
from ttdm_ros.training.dataset import cut, spaced_starts
from ttdm_ros.training.implicit_gradient import conjugate_gradients, implicit_gradient
from ttdm_ros.training.learned_metric import LearnedMetric, learn_metric
from ttdm_ros.training.metrics import measure
from ttdm_ros.training.sensitivities import SampleSensitivities
from ttdm_ros.training.trainer import fine_tune, train_base
from ttdm_ros.training.tuning import Tuning
from ttdm_ros.training.weightings import find_weighting

pytestmark = pytest.mark.usefixtures("one_thread")

P = 2
MATTERS = (2,)
SMALL = TrainingConfig(
    specification=ModelSpecification(hidden=(3,), inputs=("q", "v")),
    p=P,
    base_steps=600,
    base_batch=64,
    steps=200,
    batch=64,
    validate_every=25,
    rate=2e-3,
    weight_decay=1e-3,
    metric_steps=25,
    precision="double",
)


@pytest.fixture(scope="module")
def windows(new_drive, panda):
    """More than three units can learn: each joint has its own friction."""
    trajectories = [new_drive(lambda z: -3.0 * np.tanh(z[:, 7:14] / 0.05), seed=seed, count=300) for seed in range(2)]
    return cut(trajectories, spaced_starts(trajectories, P), P, nominal_batch(panda))


@pytest.fixture(scope="module")
def sensitivities(windows):
    """Only one joint matters."""
    g = np.zeros((len(windows), P, 7, 14))
    for joint in MATTERS:
        g[:, :, joint, joint] = 10.0
        g[:, :, joint, 7 + joint] = 1.0
    good = np.random.default_rng(0).uniform(size=len(windows)) > 0.1
    g[~good] = 0.0
    return SampleSensitivities(p=P, g=g, value_gradient=np.zeros((*g.shape[:2], 14)), good=good, reasons={})


@pytest.fixture(scope="module")
def base(windows):
    return train_base(windows, SMALL, [0], robot="panda")


@pytest.fixture
def new_tuning(base, windows, sensitivities, panda):
    def make(config=SMALL, known=sensitivities, **options):
        context = Context(x=windows.x, training=windows.training, sensitivities=known, floor=0.1, clip=5.0)
        dtype = torch.float32 if config.precision == "single" else torch.float64
        networks = NetworkStack(base.models).to(dtype=dtype)
        arm = nominal_batch(panda)
        return Tuning(networks=networks, windows=windows, context=context, nominal=arm, config=config, **options)

    return make


class Ridge:
    """A linear model of several outputs whose inner problem has a closed form, in numpy."""

    def __init__(self, damping=0.1):
        random = np.random.default_rng(3)
        self.a, self.y = random.normal(size=(30, 4, 5)), random.normal(size=(30, 4))  # output = a θ
        self.g, self.first, self.damping = random.normal(size=(30, 2, 4)), random.normal(size=5), damping

    def solution(self, phi):
        weight = np.exp(2.0 * phi)
        hessian = 2.0 * np.einsum("nia,i,nib->ab", self.a, weight, self.a) / len(self.a)
        right = 2.0 * np.einsum("nia,i,ni->a", self.a, weight, self.y) / len(self.a)
        return np.linalg.solve(hessian + self.damping * np.eye(5), right + self.damping * self.first)

    def cost(self, phi):
        effect = np.einsum("nri,ni->nr", self.g, self.a @ self.solution(phi) - self.y)
        return 0.5 * np.square(effect).sum(axis=1).mean()

    def gradient(self, phi):
        theta, phi = torch.tensor(self.solution(phi), requires_grad=True), torch.tensor(phi, requires_grad=True)
        a, y, g = (torch.tensor(each) for each in (self.a, self.y, self.g))
        error = a @ theta - y
        inner = (phi.exp() * error).square().sum(dim=1).mean()
        outer = 0.5 * torch.einsum("nri,ni->nr", g, error).square().sum(dim=1).mean()
        return implicit_gradient(inner, outer, [theta], phi, damping=self.damping, tolerance=1e-12).numpy()


def differences(function, phi, step=1e-5):
    moves = step * np.eye(phi.size).reshape(phi.size, *phi.shape)
    return np.reshape([(function(phi + m) - function(phi - m)) / (2.0 * step) for m in moves], phi.shape)


def test_the_gradient_of_a_linear_model_is_that_of_the_closed_form():
    problem, phi = Ridge(), np.array([0.3, -0.5, 0.1, 0.8])
    np.testing.assert_allclose(problem.gradient(phi), differences(problem.cost, phi), rtol=1e-6, atol=1e-9)


def test_the_gradient_counts_the_curvature_of_the_model():
    """A network with tanh units, its inner problem solved by Newton's method for every difference."""
    random, damping = np.random.default_rng(1), 0.05
    z, y = torch.tensor(random.normal(size=(40, 2))), torch.tensor(random.normal(size=(40, 3)))
    g, first = torch.tensor(random.normal(size=(2, 3))), torch.tensor(random.normal(size=15))

    def errors(theta):
        return torch.tanh(z @ theta[:6].reshape(2, 3)) @ theta[6:].reshape(3, 3) - y

    def inner(theta, phi):
        return (phi.exp() * errors(theta)).square().sum(dim=1).mean()

    def outer(theta):
        return 0.5 * (errors(theta) @ g.T).square().sum(dim=1).mean()

    def objective(theta, phi):
        return inner(theta, phi) + 0.5 * damping * (theta - first).square().sum()

    def solution(phi, start):
        solver = torch.optim.LBFGS([theta := start.clone().requires_grad_()], max_iter=2000, tolerance_grad=1e-9)

        def closure():
            solver.zero_grad()
            loss = objective(theta, phi)
            loss.backward()
            return loss

        solver.step(closure)
        theta = theta.detach()
        for _ in range(5):
            slope = torch.func.grad(objective)(theta, phi)
            theta = theta - torch.linalg.solve(torch.func.hessian(objective)(theta, phi), slope)
        assert torch.func.grad(objective)(theta, phi).norm() < 1e-12
        return theta

    phi = torch.tensor([0.2, -0.3, 0.4], dtype=torch.float64)
    best = solution(phi, first)
    theta, choice = best.clone().requires_grad_(), phi.clone().requires_grad_()
    found = implicit_gradient(
        inner(theta, choice), outer(theta), [theta], choice, damping=damping, iterations=100, tolerance=1e-12
    )
    expected = differences(lambda each: float(outer(solution(torch.tensor(each), best))), phi.numpy(), step=1e-4)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)


def test_conjugate_gradients_end_where_the_matrix_is_not_positive():
    matrix = torch.diag(torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64))
    right = torch.tensor([1.0, 1.0, 0.1], dtype=torch.float64)
    found = conjugate_gradients(lambda v: matrix @ v, right, iterations=10, tolerance=1e-9)
    assert torch.isfinite(found).all()
    assert found @ right > 0.0
    negative = conjugate_gradients(lambda v: -v, right, iterations=10, tolerance=1e-9)
    torch.testing.assert_close(negative, right)


def test_the_metric_finds_the_states_that_matter(new_tuning):
    looks = []
    begun = learn_metric(new_tuning(SMALL.model_copy(update={"metric_steps": 0}))).diagonal
    learned = learn_metric(new_tuning(on_progress=looks.append)).diagonal
    gain = np.log(learned / begun)[:, 7:]  # of velocities, which hold nearly all that two steps can go wrong
    others = [joint for joint in range(7) if joint not in MATTERS]
    assert gain[:, MATTERS].min() > gain[:, others].max()
    assert gain[:, MATTERS].mean() - gain[:, others].mean() > 0.5
    assert looks[-1].validation[0] < looks[0].validation[0] < 1.0
    assert [look.step for look in looks] == list(range(SMALL.metric_steps + 1))


def test_a_model_tuned_with_it_costs_less_than_one_by_mse(base, windows, sensitivities, panda):
    arm, weigh = nominal_batch(panda), [find_weighting(name) for name in ("mse", "variance", "learned_metric")]
    trained = fine_tune(base.models, weigh, windows, sensitivities, arm, SMALL)
    assert [model.name for model in trained.models] == ["mse_0", "variance_0", "learned_metric_0"]
    mse, variance, learned = (each.cost for each in measure(trained.models, windows, arm, sensitivities))
    assert learned < 0.9 * min(mse, variance)


@pytest.mark.parametrize("precision", ["single", "double"])
def test_it_is_deterministic(new_tuning, precision):
    config = SMALL.model_copy(update={"metric_steps": 4, "precision": precision})
    first, second = (learn_metric(new_tuning(config)).diagonal for _ in range(2))
    assert first.shape == (P, 14)
    np.testing.assert_array_equal(first, second)
    begun = learn_metric(new_tuning(config.model_copy(update={"metric_steps": 0}))).diagonal
    assert np.abs(np.log(first / begun)).max() > 0.1


def test_the_checkpoint_is_left_alone(new_tuning):
    tuning = new_tuning(SMALL.model_copy(update={"metric_steps": 1}))
    before = [parameter.detach().clone() for parameter in tuning.networks.parameters()]
    learn_metric(tuning)
    for parameter, value in zip(tuning.networks.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.detach(), value, rtol=0.0, atol=0.0)


def test_what_is_learned_already_is_not_learned_again(new_tuning):
    known = LearnedMetric(np.ones((P, 14)))
    assert known.prepare(new_tuning()) is known


def test_samples_without_sensitivities_do_not_count(new_tuning, sensitivities):
    config = SMALL.model_copy(update={"metric_steps": 2})
    wild = np.where(sensitivities.good[:, None, None, None], sensitivities.g, 1e6)
    spoilt = SampleSensitivities(
        p=P, g=wild, value_gradient=sensitivities.value_gradient, good=sensitivities.good, reasons={}
    )
    found = [learn_metric(new_tuning(config, known)).diagonal for known in (sensitivities, spoilt)]
    np.testing.assert_array_equal(*found)


def test_what_cannot_be_learned_is_refused_in_a_sentence(new_tuning, sensitivities, windows):
    context = new_tuning().context
    with pytest.raises(ConfigError, match="not learned yet"):
        LearnedMetric().factors(context)
    with pytest.raises(ConfigError, match="rollouts of 5 steps, and these have 2"):
        LearnedMetric(np.ones((5, 14))).factors(context)
    with pytest.raises(ConfigError, match="ttdm sensitivities"):
        learn_metric(new_tuning(known=None))
    zeros = np.zeros_like(sensitivities.g), sensitivities.value_gradient
    for kept, purpose in ((windows.validation, "training"), (windows.training, "validation")):
        none = SampleSensitivities(p=P, g=zeros[0], value_gradient=zeros[1], good=kept, reasons={})
        with pytest.raises(ConfigError, match=f"no sample for {purpose} has sensitivities"):
            learn_metric(new_tuning(known=none))


def test_costs_that_are_zero_leave_a_finite_metric(new_tuning, sensitivities):
    """An arm to whose commands no error matters."""
    nothing = SampleSensitivities(
        p=P,
        g=np.zeros_like(sensitivities.g),
        value_gradient=sensitivities.value_gradient,
        good=sensitivities.good,
        reasons={},
    )
    learned = learn_metric(new_tuning(SMALL.model_copy(update={"metric_steps": 2}), nothing)).diagonal
    assert np.isfinite(learned).all()
    assert (learned > 0.0).all()


def test_a_gradient_that_is_not_finite_ends_the_learning(new_tuning, monkeypatch):
    begun = learn_metric(new_tuning(SMALL.model_copy(update={"metric_steps": 0}))).diagonal
    looks = []
    nan = torch.full((P, 14), torch.nan, dtype=torch.float64)
    monkeypatch.setattr(learned_metric, "implicit_gradient", lambda *_, **__: nan)
    np.testing.assert_array_equal(learn_metric(new_tuning(on_progress=looks.append)).diagonal, begun)
    assert len(looks) == 1


def test_structure_full_learns_too(windows, sensitivities, panda):
    full = ModelSpecification(hidden=(4,), structure="full")
    config = SMALL.model_copy(update={"specification": full, "base_steps": 300, "metric_steps": 2})
    checkpoint = train_base(windows, config, [0])
    tuned = fine_tune(
        checkpoint.models, [find_weighting("learned_metric")], windows, sensitivities, nominal_batch(panda), config
    )
    assert isinstance(tuned.models[0], PredictionModel)
    assert tuned.best[0] <= 1.0
