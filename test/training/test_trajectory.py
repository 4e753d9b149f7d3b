"""Resampling against closed forms: mean torque, cubic motion, gaps, delay, saturation."""

import numpy as np
import pytest

from ttdm_ros.training.trajectory import interpolate_states, resample

DT, STEP = 0.02, 0.004


@pytest.fixture
def cut(panda):
    """Resample constant states and given commands."""

    def call(time, command_time, commands, *, q=None, v=None, delay=0.0, step=STEP, dt=DT):
        q = np.zeros((len(time), 7)) if q is None else q
        v = np.zeros((len(time), 7)) if v is None else v
        parts = resample(
            panda,
            source="test",
            time=time,
            q=q,
            v=v,
            command_time=command_time,
            commands=commands,
            rows=lambda grid: np.tile(grid[:, None], 33),
            dt=dt,
            step=step,
            delay=delay,
        )
        return list(parts)

    return call


def held(t, command_time, commands):
    """The command that holds at a time."""
    return commands[np.searchsorted(command_time, t, side="right") - 1]


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.0071])
def test_the_torque_is_the_mean_of_what_acted_during_the_step(cut, delay):
    random = np.random.default_rng(0)
    time = np.arange(0.0, 0.5, 0.002)
    command_time = np.sort(random.uniform(0.0, 0.49, 150))
    command_time = np.concatenate([[0.0], command_time, [0.49]])
    commands = random.normal(size=(len(command_time), 7))
    (part,) = cut(time, command_time, commands, delay=delay)
    fine = (np.arange(20000) + 0.5) / 20000 * DT
    for i in range(0, len(part), 13):
        expected = held(part.time[i] + fine, command_time + delay, commands).mean(axis=0)
        np.testing.assert_allclose(part.u[i], expected, atol=2e-3)


def test_a_constant_command_is_its_own_mean(cut):
    time = np.arange(0.0, 0.3, 0.002)
    (part,) = cut(time, time, np.tile(np.arange(7.0), (len(time), 1)), delay=0.003)
    np.testing.assert_allclose(part.u, np.tile(np.arange(7.0), (len(part), 1)), rtol=1e-9)


def test_a_step_in_the_command_is_seen_after_its_delay(cut):
    time = np.arange(0.0, 0.4, 0.002)
    commands = np.where(time[:, None] >= 0.2, 1.0, 0.0) * np.ones(7)
    (part,) = cut(time, time, commands, delay=0.008)
    expected = np.clip((part.time + DT - 0.208) / DT, 0.0, 1.0)
    np.testing.assert_allclose(part.u[:, 0], expected, atol=1e-9)


def test_cubic_motion_is_interpolated_exactly():
    random = np.random.default_rng(1)
    time = np.cumsum(random.uniform(0.001, 0.004, 80))
    c = random.normal(size=(4, 7))
    powers = np.array([time**k for k in range(4)])
    slopes = np.array([k * time ** max(k - 1, 0) for k in range(4)])
    at = np.linspace(time[0], time[-1], 301)
    q, v = interpolate_states(at, time, powers.T @ c, slopes.T @ c)
    np.testing.assert_allclose(q, np.array([at**k for k in range(4)]).T @ c, atol=1e-12)
    straight = interpolate_states(at, time, powers.T @ c, powers.T[:, :2] @ c[:2])[1]
    np.testing.assert_allclose(straight, np.stack([np.ones_like(at), at], axis=1) @ c[:2], atol=1e-12)
    assert v.shape == q.shape


@pytest.mark.parametrize("missing", ["states", "commands"])
def test_gaps_cut_the_motion(cut, missing):
    time = np.arange(0.0, 1.0, 0.002)
    whole = (time < 0.4) | (time >= 0.46)
    states, sent = (time[whole], time) if missing == "states" else (time, time[whole])
    parts = cut(states, sent, np.ones((len(sent), 7)))
    assert len(parts) == 2
    assert parts[0].time[-1] + DT <= 0.4 + 1e-9
    assert parts[1].time[0] >= 0.46 - 1e-9


def test_short_gaps_do_not(cut):
    time = np.arange(0.0, 1.0, 0.002)
    states, sent = np.delete(time, slice(100, 108)), np.delete(time, slice(200, 220))
    assert len(cut(states, sent, np.ones((len(sent), 7)))) == 1


def test_what_is_too_short_for_a_step_is_left_out(cut):
    time = np.arange(0.0, 0.04, 0.002)
    assert cut(time, time, np.ones((len(time), 7))) == []
    assert cut(time[:1], time[:1], np.ones((1, 7))) == []


def test_steps_that_reach_a_torque_limit_are_marked(cut, panda):
    time = np.arange(0.0, 0.5, 0.002)
    commands = np.zeros((len(time), 7))
    commands[(time >= 0.2) & (time < 0.21), 3] = -panda.limits.effort[3]
    (part,) = cut(time, time, commands)
    expected = (part.time + DT >= 0.2) & (part.time < 0.21)
    clear = (np.abs(part.time + DT - 0.2) > 1e-6) & (np.abs(part.time - 0.21) > 1e-6)
    np.testing.assert_array_equal(part.saturated[clear], expected[clear])


def test_rows_windows_and_horizons_belong_to_the_times_of_their_samples(cut):
    time = np.arange(0.0, 0.5, 0.002)
    (part,) = cut(time, time, np.ones((len(time), 7)), q=np.tile(time[:, None], 7), v=np.ones((len(time), 7)))
    assert part.stride == 5
    np.testing.assert_allclose(part.rows[:, 0], part.time)
    starts = part.starts(3, spacing=4)
    x, u = part.windows(starts, 3)
    assert (x.shape, u.shape) == ((len(starts), 4, 14), (len(starts), 3, 7))
    np.testing.assert_allclose(x[:, :, 0], part.time[starts][:, None] + DT * np.arange(4), atol=1e-12)
    horizon = part.horizon(len(part) - 6, 3)[:, 0]
    np.testing.assert_allclose(horizon, np.minimum(part.time[-6] + DT * np.arange(4), part.time[-1]))
    piece = part.part(10, 40)
    np.testing.assert_array_equal(piece.x, part.x[10:40])


def test_a_step_that_does_not_fit_into_dt_is_refused(cut):
    time = np.arange(0.0, 0.5, 0.002)
    with pytest.raises(ValueError, match="multiple"):
        cut(time, time, np.ones((len(time), 7)), step=0.003)
