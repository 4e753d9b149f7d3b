"""References: exact on the grid, within every limit, refused by name when they are not."""

import numpy as np
import pinocchio
import pytest
from scipy.spatial.transform import Rotation

from ttdm_ros.config import parse
from ttdm_ros.errors import TaskError
from ttdm_ros.mpc.tasks.config import TaskConfig, load_task
from ttdm_ros.mpc.tasks.reference import approach, plan

SHIPPED = ["circle", "rectangle", "sines", "waypoints", "pick", "live", "demo"]


@pytest.fixture(scope="module", params=["circle", "rectangle", "sines", "waypoints", "pick", "demo"])
def planned(request, arm):
    """An arm and a task that ships, resolved for it."""
    return arm, plan(load_task(request.param), arm)


@pytest.fixture(scope="module")
def demo(panda):
    return plan(load_task("demo"), panda)


def circle(**keys):
    return parse({"type": "circle", "name": "mine", "radius": 0.1, "speed": 0.2} | keys, TaskConfig, "test")


def tips_by_pinocchio(arm, q):
    data, frame = arm.model.createData(), arm.model.getFrameId(arm.tip_frame)
    for posture in q:
        pinocchio.framesForwardKinematics(arm.model, data, posture)
        yield data.oMf[frame].translation.copy(), data.oMf[frame].rotation.copy()


def test_the_tip_of_the_postures_is_on_the_path(planned):
    arm, reference = planned
    tips = list(tips_by_pinocchio(arm, reference.q))
    missed = np.linalg.norm([tip[0] for tip in tips] - reference.position, axis=1)
    turned = Rotation.from_matrix(np.array([tip[1] for tip in tips]) @ reference.rotation.transpose(0, 2, 1))
    assert missed.max() < 1e-6
    assert turned.magnitude().max() < 1e-6


def test_joint_velocities_move_the_tip_with_its_twist(planned):
    arm, reference = planned
    data, frame = arm.model.createData(), arm.model.getFrameId(arm.tip_frame)
    for index in range(0, len(reference), 37):
        jacobian = pinocchio.computeFrameJacobian(
            arm.model, data, reference.q[index], frame, pinocchio.ReferenceFrame.LOCAL_WORLD_ALIGNED
        )
        twist = jacobian @ reference.v[index]
        np.testing.assert_allclose(twist[:3], reference.linear_velocity[index], atol=1e-8)
        np.testing.assert_allclose(twist[3:], reference.angular_velocity[index], atol=1e-8)


def test_velocities_and_accelerations_are_derivatives_of_the_postures(planned):
    _, reference = planned
    # Central differences over 2 dt are off by dt²/6 times the third derivative, and more where jerk jumps.
    rate = (reference.q[2:] - reference.q[:-2]) / (2 * reference.dt)
    np.testing.assert_allclose(reference.v[1:-1], rate, atol=2e-4)
    change = (reference.v[2:] - reference.v[:-2]) / (2 * reference.dt)
    np.testing.assert_allclose(reference.a[1:-1], change, atol=5e-2)


def test_a_reference_starts_and_ends_at_rest_and_closed_ones_in_the_same_posture(planned):
    _, reference = planned
    np.testing.assert_allclose(reference.v[[0, -1]], 0.0, atol=1e-9)
    np.testing.assert_allclose(reference.a[[0, -1]], 0.0, atol=1e-9)
    np.testing.assert_allclose(reference.q[-1], reference.q[0], atol=1e-7)


def test_torques_are_the_inverse_dynamics_less_gravity(planned):
    arm, reference = planned
    data = arm.model.createData()
    for index in range(0, len(reference), 97):
        q, v, a = reference.q[index], reference.v[index], reference.a[index]
        torque = pinocchio.rnea(arm.model, data, q, v, a) - pinocchio.computeGeneralizedGravity(arm.model, data, q)
        np.testing.assert_allclose(reference.tau[index], torque, atol=1e-9)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_tasks_are_within_every_limit(name, arm):
    reference, limits = plan(load_task(name), arm), arm.limits
    assert np.all(reference.q > limits.position_lower)
    assert np.all(reference.q < limits.position_upper)
    assert np.all(np.abs(reference.v) < limits.velocity)
    assert np.all(np.abs(reference.a) < limits.acceleration)
    assert np.all(np.abs(reference.tau) < limits.effort)


def test_the_demo_takes_20_seconds(demo):
    assert demo.duration == pytest.approx(20.0, abs=0.1)


def test_another_grid_holds_the_same_motion(panda, demo):
    coarse = plan(load_task("demo"), panda, dt=0.01)
    common = len(demo.q[::5])
    np.testing.assert_allclose(coarse.q[:common], demo.q[::5], atol=1e-6)
    np.testing.assert_allclose(coarse.v[:common], demo.v[::5], atol=1e-4)


def test_a_live_target_rests_at_home(panda):
    reference = plan(load_task("live"), panda)
    assert len(reference) == 1
    np.testing.assert_allclose(reference.q, [panda.home], atol=1e-9)


TOO_FAST = r"limit of panda: \w+joint\d needs .* at t = .* beyond .* allowed \(90% of its limit\); drive it at \d+% of"


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        (
            {"radius": 0.8, "floor": None},
            r"'mine' leaves the workspace of panda at t = \d.* closer to the home posture",
        ),
        ({"centre": [0.6, 0, 0]}, r"'mine' leaves the workspace of panda at t = 0.00 s: no posture puts the tip at"),
        ({"centre": [0, 0, -0.6]}, r"down to z = -0\.\d+ m at t = .* below the floor .* 'floor'"),
        ({"speed": 1.5, "laps": 3, "acceleration": 5}, "velocity " + TOO_FAST),
        ({"speed": 0.8, "laps": 3, "radius": 0.03}, "acceleration " + TOO_FAST),
        (
            {"centre": [0, 0, -0.2], "plane": "xz"},
            r"position limit of panda: \w+joint4 needs -3.\d+ rad at t = .* beyond the -3.0\d+ rad .* move the path",
        ),
    ],
)
def test_infeasible_tasks_name_limit_joint_time_excess_and_remedy(panda, keys, complaint):
    with pytest.raises(TaskError, match=complaint):
        plan(circle(**keys), panda)


def test_motion_stays_smooth_where_a_joint_comes_near_its_limit(panda):
    reference = plan(circle(centre=[-0.05, 0, -0.15]), panda)
    nearest = np.min(reference.q - panda.limits.position_lower)
    assert nearest < 0.2
    assert np.abs(np.diff(reference.a, axis=0)).max() < 0.1


def test_a_task_slowed_down_as_advised_is_feasible(panda):
    task = circle(speed=1.5, laps=3, acceleration=5.0, centre=[0.1, 0.0, 0.0])
    for _ in range(5):
        try:
            plan(task, panda)
            break
        except TaskError as error:
            share = int(str(error).split("drive it at ")[1].split("%")[0]) / 100
            task = task.model_copy(update={"speed": task.speed * share, "acceleration": task.acceleration * share**2})
    assert task.speed < 1.5
    plan(task, panda)


def test_a_window_holds_rows_of_the_table_and_then_the_last(demo):
    last = len(demo) - 1
    window = demo.window(last - 25, 10, 5)
    rows = [last - 25, last - 15, last - 5, last, last]
    np.testing.assert_array_equal(window, demo.table[rows])
    inside, out = demo.window(100, 10, 21), np.empty((21, 33))
    np.testing.assert_array_equal(inside, demo.table[100:301:10])
    demo.fill_window(out, 100, 10)
    np.testing.assert_array_equal(out, inside)
    demo.fill_window(out, 10 * last, 10)
    np.testing.assert_array_equal(out, np.tile(demo.table[-1], (21, 1)))


def test_rows_are_position_rotation_by_columns_q_v_and_tau(demo):
    row = demo.table[1234]
    assert demo.table.flags.c_contiguous
    np.testing.assert_array_equal(row[:3], demo.position[1234])
    np.testing.assert_array_equal(row[3:6], demo.rotation[1234][:, 0])
    np.testing.assert_array_equal(row[9:12], demo.rotation[1234][:, 2])
    np.testing.assert_array_equal(row[12:19], demo.q[1234])
    np.testing.assert_array_equal(row[19:26], demo.v[1234])
    np.testing.assert_array_equal(row[26:], demo.tau[1234])


@pytest.mark.parametrize("speed", [0.1, 0.5])
def test_an_approach_leads_at_rest_to_the_first_posture_within_its_share_of_the_limits(panda, demo, speed, random):
    q_from = panda.home + random.uniform(-0.4, 0.4, 7)
    way = approach(panda, q_from, demo, speed=speed)
    np.testing.assert_allclose(way.q[0], q_from, atol=1e-12)
    np.testing.assert_allclose(way.q[-1], demo.q[0], atol=1e-12)
    np.testing.assert_allclose([way.v[0], way.v[-1], way.a[0], way.a[-1]], 0.0, atol=1e-12)
    usage = np.abs(way.v) / (speed * panda.limits.velocity)
    assert usage.max() < 1.0 + 1e-6
    assert np.all(np.abs(way.a) <= speed * panda.limits.acceleration * (1 + 1e-6))
    assert np.all(way.q > panda.limits.position_lower)
    assert np.all(way.q < panda.limits.position_upper)
    np.testing.assert_allclose(np.diff(way.q, axis=0) / way.dt, 0.5 * (way.v[1:] + way.v[:-1]), atol=1e-4)
    tip = next(tips_by_pinocchio(panda, way.q[len(way) // 2 :]))
    np.testing.assert_allclose(way.position[len(way) // 2], tip[0], atol=1e-12)


def test_an_approach_takes_over_a_small_velocity(panda, demo):
    v_from = np.array([0.05, -0.04, 0.0, 0.03, 0.0, 0.0, 0.1])
    way = approach(panda, panda.home, demo, speed=0.2, v_from=v_from)
    np.testing.assert_allclose(way.v[0], v_from, atol=1e-12)
    np.testing.assert_allclose(way.q[-1], demo.q[0], atol=1e-12)
    np.testing.assert_allclose(way.v[-1], 0.0, atol=1e-12)
    np.testing.assert_allclose(np.diff(way.q, axis=0) / way.dt, 0.5 * (way.v[1:] + way.v[:-1]), atol=1e-4)
    np.testing.assert_allclose(np.diff(way.v, axis=0) / way.dt, 0.5 * (way.a[1:] + way.a[:-1]), atol=1e-3)
    assert np.all(np.abs(way.a) <= 0.2 * panda.limits.acceleration * (1 + 1e-6))


def test_an_approach_leads_back_from_outside_the_limits(panda, demo):
    q_from = panda.home.copy()
    q_from[3] = panda.limits.position_lower[3] - 0.02
    way = approach(panda, q_from, demo)
    assert way.q[:, 3].min() >= q_from[3] - 1e-12


def test_an_approach_that_would_run_into_a_limit_is_refused(panda, demo):
    q_from, v_from = panda.home.copy(), np.zeros(7)
    q_from[5], v_from[5] = panda.limits.position_upper[5] - 0.01, 0.5
    with pytest.raises(TaskError, match=r"joint6 .* rad beyond its position limit.*come to rest first"):
        approach(panda, q_from, demo, v_from=v_from)


def test_an_approach_from_a_state_that_is_not_finite_is_refused(panda, demo):
    with pytest.raises(TaskError, match="7 finite numbers"):
        approach(panda, np.full(7, np.nan), demo)
