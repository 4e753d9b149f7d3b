"""The controller: its phases, faults, deadlines and commands."""

import numpy as np
import pytest

from ttdm_ros.control.phase import Phase
from ttdm_ros.errors import SolverError, TaskError

MOVING = [Phase.APPROACH, Phase.TRACKING, Phase.HOLDING, Phase.LEAVING]


def test_nothing_is_commanded_before_activation(rig):
    assert rig.state().tau is None
    assert rig.silence(9.0).tau is None
    assert rig.phase is Phase.INACTIVE


def test_the_phases_follow_one_another(rig):
    rig.activate()
    assert rig.phase is Phase.WAITING
    assert rig.state().tau is None
    assert rig.phase is Phase.APPROACH
    rig.run_until(Phase.TRACKING)
    rig.run_until(Phase.HOLDING)
    assert rig.controller.progress == 1.0
    for _ in range(100):
        assert rig.state().tau is not None
    assert (rig.phase, rig.controller.fault) == (Phase.HOLDING, None)
    assert [text.split(";")[0] for text in rig.events] == [
        "activated",
        "approaching the start of 'small circle'",
        "driving 'small circle'",
        "'small circle' is done",
    ]


def test_every_state_is_answered_with_a_torque_while_it_moves(rig):
    rig.start(Phase.APPROACH)
    assert all(rig.state().tau is not None for _ in range(300))


def test_the_reference_at_every_time_is_that_of_the_task(rig, circle):
    rig.start(Phase.TRACKING)
    begin = rig.controller.reference_now()[0]
    for _ in range(100):
        rig.state()
        now, row = rig.controller.reference_now()
        expected = circle.reference.window(round((now - begin) / circle.reference.dt), 1, 1)[0]
        np.testing.assert_allclose(row[:3], expected[:3], atol=0.25 * 0.002 + 1e-6)


def test_solves_come_at_the_control_rate(new_rig):
    for rate in (50.0, 100.0, 150.0, 400.0, 500.0):
        rig = new_rig(rate=rate)
        rig.start(Phase.APPROACH)
        solves = [rig.state().solve for _ in range(1000)]
        made = sum(solve is not None for solve in solves)
        assert abs(made - 2.0 * rate) <= 1
        assert rig.controller.missed == 0


def test_solves_come_no_more_often_than_joint_states(new_rig):
    rig = new_rig(rate=100.0)
    rig.start(Phase.APPROACH)
    assert all(rig.state(after_ns=10_000_000).solve is not None for _ in range(50))


def test_the_plan_starts_when_the_command_acts(new_rig):
    rig = new_rig(delay=0.007)
    rig.start(Phase.APPROACH)
    for _ in range(20):
        answer = rig.state()
        now, _ = rig.controller.reference_now()
        if answer.solve:
            assert answer.solve.plan.start == pytest.approx(now + 0.007)
            moved = rig.solver.calls[-1].x0
            assert moved.shape == (14,)


def test_the_guess_is_moved_on_by_the_time_since_the_last_solve(new_rig):
    rig = new_rig(rate=100.0)
    rig.start(Phase.APPROACH)
    for _ in range(60):
        rig.state()
    shares = [call.share for call in rig.solver.calls]
    assert shares[0] == 0.0
    np.testing.assert_allclose(shares[1:], 0.01 / rig.solver.config.dt, rtol=1e-6)
    rig.state(after_ns=24_000_000)
    assert rig.solver.calls[-1].share > 0.01 / rig.solver.config.dt * 2.3


def test_the_first_guess_is_the_way_to_the_start(rig):
    rig.start(Phase.APPROACH)
    (rows,) = rig.solver.guesses
    np.testing.assert_allclose(rows[0, 12:19], rig.arm.home, atol=1e-6)


def test_torque_grows_from_zero_after_activation(new_rig):
    rig = new_rig(ramp_time=0.5)
    rig.solver.torque, rig.solver.share = np.full(7, 4.0), 0.0
    rig.start(Phase.APPROACH)
    taus = np.array([rig.state().tau for _ in range(300)])
    expected = 4.0 * np.minimum(0.002 * np.arange(300) / 0.5, 1.0)
    np.testing.assert_allclose(taus, np.tile(expected[:, None], (1, 7)), atol=1e-9)


@pytest.mark.parametrize(("between", "factor"), [("feedback", 1.0), ("plan", 0.0)])
def test_between_solves_the_plan_is_followed_with_or_without_feedback(new_rig, between, factor):
    rig = new_rig(between=between, rate=10.0, ramp_time=0.0, delay=0.0)
    rig.start(Phase.APPROACH)
    rig.state()
    rig.solver.gain = np.tile(np.array([3.0] * 7 + [0.0] * 7), (7, 1))
    for _ in range(60):
        answer = rig.state()
    plan = None
    for _ in range(60):
        answer = rig.state()
        plan = answer.solve.plan if answer.solve else plan
        if plan is not None and not answer.solve:
            break
    q = rig.q + 0.01
    answer = rig.state(q=q)
    now, _ = rig.controller.reference_now()
    planned, torque = plan.at(now)
    expected = torque + factor * 3.0 * (q - planned[:7]).sum()
    np.testing.assert_allclose(answer.tau, np.clip(expected, rig.torques[-2] - 2.0, rig.torques[-2] + 2.0), atol=1e-9)


def test_deactivation_comes_to_rest_on_the_path_and_ends(new_rig):
    rig = new_rig(stop_time=0.3)
    rig.start(Phase.TRACKING)
    for _ in range(300):
        rig.state()
    rig.controller.deactivate()
    assert rig.phase is Phase.LEAVING
    states = []
    while rig.phase is Phase.LEAVING:
        rig.state()
        states.append(rig.v.copy())
    assert rig.phase is Phase.INACTIVE
    assert 150 <= len(states) <= 170
    np.testing.assert_allclose(states[-1], 0.0, atol=1e-9)
    assert rig.state().tau is None


def test_deactivation_ends_even_if_the_arm_does_not_come_to_rest(new_rig):
    rig = new_rig(stop_time=0.3)
    rig.start(Phase.TRACKING)
    rig.controller.deactivate()
    count = 0
    while rig.phase is Phase.LEAVING:
        rig.state(q=rig.q + 1e-6 * count, v=np.full(7, 0.1))
        count += 1
    assert count == pytest.approx(650, abs=5)


def test_deactivation_before_the_first_state_ends_at_once(rig):
    rig.activate()
    rig.controller.deactivate()
    assert rig.phase is Phase.INACTIVE


def test_a_second_activation_while_it_commands_is_refused(rig):
    rig.start(Phase.TRACKING)
    with pytest.raises(SolverError, match=r"is active already \(tracking\); deactivate it first"):
        rig.controller.activate()


def test_after_deactivation_it_can_be_activated_again_with_new_stamps(rig):
    rig.start(Phase.TRACKING)
    rig.controller.deactivate()
    rig.run_until(Phase.INACTIVE)
    rig.stamp_ns = 1_000  # a simulator was started anew
    rig.start(Phase.HOLDING)


FAULTS = {
    "NaN": (lambda rig: rig.state(q=np.full(7, np.nan)), "is not finite"),
    "out of range": (lambda rig: rig.state(q=rig.q + 9.0), "far beyond its limits"),
    "too fast": (lambda rig: rig.state(v=np.full(7, 50.0)), "far beyond its limit"),
    "silence": (lambda rig: rig.silence(0.031), "no joint state came for 31 ms"),
    "gap": (lambda rig: rig.state(after_ns=40_000_000), "no joint state came for 40 ms"),
    "frozen": (lambda rig: [rig.state(q=rig.arm.home, v=np.full(7, 0.1)) for _ in range(20)], "its state is frozen"),
    "asked for": (lambda rig: rig.controller.stop("the joint names changed; check the driver"), "joint names changed"),
    "solver": (
        lambda rig: (rig.solver.statuses.extend([4] * 9), [rig.state() for _ in range(40)]),
        r"failed 4 times in a row \(status 4\)",
    ),
}


@pytest.mark.parametrize("phase", [Phase.APPROACH, Phase.TRACKING, Phase.HOLDING, Phase.LEAVING])
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_ends_in_a_controlled_stop_that_only_an_activation_leaves(new_rig, name, phase):
    import re

    rig = new_rig(stop_time=2.0)
    cause, sentence = FAULTS[name]
    if phase is Phase.LEAVING:
        rig.start(Phase.TRACKING)
        rig.controller.deactivate()
    else:
        rig.start(phase)
    rig.state()
    cause(rig)
    rig.solver.statuses.clear()
    assert rig.phase in (Phase.BRAKING, Phase.STOPPED)
    assert re.search(sentence, rig.controller.fault)
    assert any(text == f"fault: {rig.controller.fault}" for text in rig.events)
    still = rig.q
    for _ in range(2000):
        if rig.phase is Phase.STOPPED:
            break
        rig.state(q=still, v=np.zeros(7))
    assert rig.phase is Phase.STOPPED
    assert all(rig.state().tau is None for _ in range(10))
    assert rig.silence(9.0).tau is None
    fault = rig.controller.fault
    rig.controller.deactivate()
    assert (rig.phase, rig.controller.fault) == (Phase.INACTIVE, fault)
    assert rig.state().tau is None
    rig.q, rig.v = rig.arm.home.copy(), np.zeros(7)
    rig.start(Phase.TRACKING)
    assert rig.controller.fault is None


def test_after_a_fault_it_can_be_activated_without_deactivation(rig):
    rig.start(Phase.APPROACH)
    rig.controller.stop("enough")
    rig.run_until(Phase.STOPPED)
    rig.start(Phase.TRACKING)


def test_the_first_fault_is_the_one_that_is_named(rig):
    rig.start(Phase.TRACKING)
    rig.controller.stop("the first")
    rig.controller.stop("the second")
    assert rig.controller.fault == "the first"


def test_a_bad_first_state_stops_before_anything_is_commanded(rig):
    rig.activate()
    assert rig.state(q=np.full(7, np.nan)).tau is None
    assert rig.phase is Phase.STOPPED
    assert "not finite" in rig.controller.fault
    assert rig.state().tau is None


def test_a_start_from_which_there_is_no_way_stops_before_anything_is_commanded(rig):
    rig.activate()
    assert rig.state(v=1.4 * rig.arm.limits.velocity).tau is None
    assert rig.phase is Phase.STOPPED
    assert rig.controller.fault


def test_silence_ramps_torque_to_zero_and_ends(rig):
    rig.solver.torque = np.array([30.0] * 4 + [9.0] * 3)
    rig.start(Phase.TRACKING)
    for _ in range(200):
        rig.state()
    before = np.abs(rig.torques[-1])
    assert before.max() > 20.0
    sizes = []
    while rig.phase is not Phase.STOPPED:
        answer = rig.silence(0.04 + 0.002 * len(sizes))
        sizes.append(np.abs(answer.tau).max())
    assert sizes[-1] == 0.0
    np.testing.assert_allclose(np.diff([before.max(), *sizes[:-1]]), -2.0, atol=1e-6)


@pytest.mark.parametrize("gap", [0.029, 10.0])
def test_after_a_gap_torque_does_not_jump(rig, gap):
    rig.start(Phase.TRACKING)
    rig.state()
    rig.solver.torque = np.full(7, 30.0)
    before = rig.torques[-1]
    answer = rig.state(after_ns=round(1e9 * gap))
    assert np.abs(answer.tau - before).max() <= 10.0 + 1e-9  # N·m: 1000 N·m/s for 10 ms


def test_a_short_silence_is_nothing(rig):
    rig.start(Phase.TRACKING)
    assert rig.silence(0.029).tau is None
    assert rig.phase is Phase.TRACKING


@pytest.mark.parametrize(
    ("held_up", "cause"),
    [(0.0, "check the arm's driver"), (0.035, "this process itself was not run for 35 ms")],
)
def test_silence_has_a_cause(rig, held_up, cause):
    rig.start(Phase.TRACKING)
    rig.controller.on_silence(0.04, held_up)
    assert rig.controller.fault.startswith("no joint state came for 40 ms; ")
    assert cause in rig.controller.fault


def test_states_with_old_stamps_are_told_from_none(rig):
    rig.start(Phase.TRACKING)
    rig.controller.on_silence(0.04, old=True)
    assert rig.controller.fault.startswith("no new joint state came for 40 ms; those that come have stamps that stand")


def test_of_an_unknown_arm_torque_goes_to_zero_at_once_and_at_its_rate(rig):
    rig.solver.torque = np.full(7, 9.0)
    rig.start(Phase.TRACKING)
    for _ in range(200):
        rig.state()
    sizes = [np.abs(rig.torques[-1]).max()]
    rig.controller.stop("a joint is missing", known=False)
    while rig.phase is not Phase.STOPPED:  # malformed states come, so that it is silent for a moment only
        sizes.append(np.abs(rig.silence(0.002 * len(sizes)).tau).max())
    assert sizes[-1] == 0.0
    np.testing.assert_allclose(np.diff(sizes[:-1]), -2.0, atol=1e-6)


def test_states_that_come_back_after_silence_do_not_restart_it(rig):
    rig.start(Phase.TRACKING)
    rig.silence(0.04)
    rig.run_until(Phase.STOPPED)
    assert "no joint state came for 40 ms" in rig.controller.fault


def test_a_known_arm_is_braked_an_unknown_one_let_go(new_rig):
    for known in (True, False):
        rig = new_rig()
        rig.start(Phase.TRACKING)
        rig.controller.stop("enough", known=known)
        v = np.full(7, 0.3)
        torques = [rig.state(v=v, q=rig.q + 0.003 * i).tau for i in range(10)]
        powers = [tau @ v for tau in torques if tau is not None]
        assert (min(powers) < -0.1) == known


def test_old_states_are_not_answered(rig):
    rig.start(Phase.TRACKING)
    now = rig.stamp_ns
    assert rig.controller.on_state(now, rig.q, rig.v).tau is None
    assert rig.controller.on_state(now - 1_000_000, rig.q, rig.v).tau is None
    assert rig.state().tau is not None
    assert rig.phase is Phase.TRACKING


@pytest.mark.parametrize("allowed", [0, 3])
def test_failed_solves_follow_the_last_plan_up_to_the_number_configured(new_rig, allowed):
    rig = new_rig(failures=allowed)
    rig.start(Phase.TRACKING)
    rig.solver.statuses = [2] * allowed
    failed = 0
    for _ in range(60):
        answer = rig.state()
        assert answer.tau is not None
        failed += answer.solve is not None and not answer.solve.plan.ok
    assert (failed, rig.controller.failed, rig.phase) == (allowed, allowed, Phase.TRACKING)
    rig.solver.statuses = [2] * (allowed + 1)
    rig.run_until(Phase.BRAKING, longest=0.2)
    assert f"failed {allowed + 1} times in a row (status 2)" in rig.controller.fault


def test_a_failed_solve_is_followed_by_a_new_guess(rig):
    rig.start(Phase.TRACKING)
    guesses = len(rig.solver.guesses)
    rig.solver.statuses = [1]
    for _ in range(10):
        rig.state()
    assert len(rig.solver.guesses) == guesses + 1
    np.testing.assert_array_equal(rig.solver.guesses[-1], rig.solver.calls[-2].rows)


def test_a_solver_that_fails_from_the_start_commands_no_torque(rig):
    rig.solver.statuses = [3] * 50
    rig.activate()
    taus = [rig.state(q=rig.arm.home, v=np.zeros(7)).tau for _ in range(40)]
    assert all(tau is None or not tau.any() for tau in taus)
    assert rig.phase in (Phase.BRAKING, Phase.STOPPED)


def test_solves_that_take_longer_than_their_period_are_missed_and_stop_it_in_the_end(new_rig):
    rig = new_rig(missed=5)
    rig.start(Phase.TRACKING)
    rig.elapsed = 0.02
    rig.run_until(Phase.BRAKING, Phase.STOPPED, longest=0.2)
    assert rig.controller.missed == 6
    assert "6 solves in a row came after their deadline; lower the rate" in rig.controller.fault


def test_joint_states_that_come_too_seldom_are_missed_deadlines(new_rig):
    rig = new_rig(missed=5, rate=100.0)
    rig.start(Phase.APPROACH)
    for _ in range(20):
        rig.state(after_ns=18_000_000)
    assert "came after their deadline" in rig.controller.fault


def test_a_missed_deadline_now_and_then_is_counted_and_no_fault(new_rig):
    rig = new_rig(missed=2)
    rig.start(Phase.TRACKING)
    seen = 0
    for i in range(200):
        answer = rig.state(after_ns=20_000_000 if i % 20 == 10 else 2_000_000)
        seen += answer.solve is not None and answer.solve.missed
    assert rig.controller.missed == seen
    assert seen >= 8
    assert rig.controller.fault is None


def test_what_a_solve_took_is_reported(rig):
    rig.start(Phase.TRACKING)
    rig.elapsed = 0.0005
    solves = [answer.solve for answer in (rig.state() for _ in range(30)) if answer.solve]
    assert all(solve.tick_us == pytest.approx(500.0) for solve in solves)
    assert all(solve.period_us == pytest.approx(10_000.0) for solve in solves)
    assert all(not solve.missed for solve in solves)
    assert rig.controller.solves == len(rig.solver.calls)


def test_a_target_given_before_activation_is_kept(new_rig, live, panda):
    rig = new_rig(live)
    position, rotation = panda.tip_pose(panda.home)
    target = position + np.array([0.04, 0.0, 0.02])
    rig.controller.set_target(live.target(target, rotation))
    rig.start(Phase.TRACKING)
    for _ in range(1000):
        rig.state()
    np.testing.assert_allclose(rig.controller.reference_now()[1][:3], target, atol=1e-3)


def test_a_target_of_the_last_run_is_forgotten(new_rig, live, panda):
    rig = new_rig(live)
    position, rotation = panda.tip_pose(panda.home)
    rig.start(Phase.TRACKING)
    rig.controller.set_target(live.target(position + np.array([0.04, 0.0, 0.02]), rotation))
    rig.controller.deactivate()
    rig.run_until(Phase.INACTIVE)
    rig.q, rig.v = panda.home.copy(), np.zeros(7)
    rig.start(Phase.TRACKING)
    for _ in range(500):
        rig.state()
    np.testing.assert_allclose(rig.controller.reference_now()[1][:3], position, atol=1e-3)


def test_the_reference_of_a_live_target_can_be_asked_for_at_any_state(new_rig, live, panda):
    rig = new_rig(live, delay=0.05)
    rig.start(Phase.TRACKING)
    position, rotation = panda.tip_pose(panda.home)
    rig.controller.set_target(live.target(position + np.array([0.05, 0.0, 0.0]), rotation))
    for _ in range(500):
        rig.state()  # asks for the reference
    assert rig.controller.fault is None


def test_a_target_out_of_reach_is_refused_before_anybody_takes_it(live):
    with pytest.raises(TaskError, match=r"outside|out of reach"):
        live.target(np.array([9.0, 0.0, 0.5]), np.eye(3))


def test_a_path_takes_no_target_and_says_so(circle):
    with pytest.raises(TaskError, match="'small circle' follows a path, not a target"):
        circle.target(np.zeros(3), np.eye(3))


def test_another_solver_takes_over_the_plan(rig, panda):
    from copy import deepcopy

    rig.start(Phase.TRACKING)
    other = deepcopy(rig.solver)
    other.guesses.clear()
    solve = next(answer.solve for answer in (rig.state() for _ in range(20)) if answer.solve)
    rig.controller.set_solver(other)
    ((x, u),) = other.guesses
    np.testing.assert_array_equal(x, solve.plan.x)
    np.testing.assert_array_equal(u, solve.plan.u)
    calls = len(rig.solver.calls)
    for _ in range(10):
        rig.state()
    assert (len(rig.solver.calls), rig.controller.solver) == (calls, other)


def test_exploration_adds_random_torques_while_it_drives_and_none_while_it_holds(new_rig):
    rig, plain = new_rig(exploration=0.02), new_rig()
    for each in (rig, plain):
        each.start(Phase.TRACKING)
    difference = np.array([rig.state().tau - plain.state().tau for _ in range(500)])
    assert (difference.std(0) > 0.002 * rig.arm.limits.effort).all()
    for each in (rig, plain):
        each.run_until(Phase.HOLDING)
        for _ in range(100):
            each.state()
    np.testing.assert_allclose(rig.state().tau, plain.state().tau, atol=1e-9)


def test_exploration_can_be_chosen_while_it_drives(new_rig):
    rig, plain = new_rig(), new_rig()
    for each in (rig, plain):
        each.start(Phase.TRACKING)
    rig.controller.set_exploration(0.02)
    difference = np.array([rig.state().tau - plain.state().tau for _ in range(300)])
    assert (difference.std(0) > 0.002 * rig.arm.limits.effort).all()


def test_a_task_that_is_done_can_be_driven_again_without_a_jump(rig, circle):
    rig.start(Phase.HOLDING)
    last = rig.controller.reference_now()[1]
    rig.controller.drive_again(circle.once_more(0.3))
    assert rig.phase is Phase.APPROACH
    rig.state()
    np.testing.assert_allclose(rig.controller.reference_now()[1][:26], last[:26], atol=1e-4)
    rig.run_until(Phase.TRACKING)
    rig.run_until(Phase.HOLDING)
    assert rig.controller.fault is None


NOT_HOLDING = [phase for phase in Phase if phase is not Phase.HOLDING]


@pytest.mark.parametrize("phase", NOT_HOLDING, ids=[phase.name for phase in NOT_HOLDING])
def test_a_task_that_is_not_done_cannot_be_driven_again(rig, circle, phase):
    reach = {
        Phase.INACTIVE: lambda: None,
        Phase.WAITING: rig.activate,
        Phase.APPROACH: lambda: rig.start(Phase.APPROACH),
        Phase.TRACKING: lambda: rig.start(Phase.TRACKING),
        Phase.LEAVING: lambda: (rig.start(Phase.TRACKING), rig.controller.deactivate()),
        Phase.BRAKING: lambda: (rig.start(Phase.TRACKING), rig.controller.stop("enough")),
        Phase.STOPPED: lambda: (rig.start(Phase.APPROACH), rig.controller.stop("enough"), rig.run_until(Phase.STOPPED)),
    }
    reach[phase]()
    assert rig.phase is phase
    events = list(rig.events)
    with pytest.raises(TaskError, match=f"can be driven again once it is done; it is {phase.name.lower()} now"):
        rig.controller.drive_again(circle.once_more(0.3))
    assert (rig.phase, rig.events) == (phase, events)


def test_driven_again_the_reference_passes_on_without_a_jump_any_number_of_times(rig, circle, panda):
    """The rig checks that every torque keeps to the rate limits."""
    rig.start(Phase.HOLDING)
    rows = []
    for _ in range(3):
        for _ in range(40):
            rig.state()
            rows.append(rig.controller.reference_now()[1])
        rig.controller.drive_again(circle.once_more(0.3))
        assert rig.controller.progress == 0.0
        while rig.phase is not Phase.HOLDING:
            rig.state()
            rows.append(rig.controller.reference_now()[1])
    jumps = np.abs(np.diff(np.array(rows), axis=0))
    limits, elapsed = panda.limits, 0.002
    assert (jumps[:, 12:19] <= elapsed * limits.velocity + 1e-5).all()
    assert (jumps[:, 19:26] <= elapsed * limits.acceleration + 1e-5).all()
    assert rig.controller.progress == 1.0
    assert rig.controller.fault is None
    story = [text for text in rig.events if text.startswith(("approaching", "driving"))]
    assert story == ["approaching the start of 'small circle'", "driving 'small circle'"] + 3 * [
        "approaching the start of 'small circle' again",
        "driving 'small circle'",
    ]


def test_after_the_second_drive_it_can_be_deactivated_as_after_the_first(rig, circle):
    rig.start(Phase.HOLDING)
    rig.controller.drive_again(circle.once_more(0.3))
    rig.run_until(Phase.TRACKING)
    rig.controller.deactivate()
    rig.run_until(Phase.INACTIVE)
    assert rig.events[-1] == "deactivated; the arm rests"


def test_no_torque_is_explored_while_it_holds(new_rig, circle):
    rig, plain = new_rig(exploration=0.05), new_rig()
    for each in (rig, plain):
        each.start(Phase.HOLDING)
    for _ in range(20):  # in which the rate limit takes out what was left
        differences = rig.state().tau - plain.state().tau
    np.testing.assert_allclose(differences, 0.0, atol=1e-9)
    for each in (rig, plain):
        each.controller.drive_again(circle.once_more(0.3))
    differences = np.array([rig.state().tau - plain.state().tau for _ in range(20)])
    assert np.abs(differences).max() > 0.01 * rig.arm.limits.effort.max()


@pytest.mark.parametrize("seed", range(15))
def test_commands_keep_to_their_limits_whatever_happens(new_rig, seed):
    """The rig checks every command; here come wild plans, odd states, faults and silence in any order."""
    random = np.random.default_rng(seed)
    rig = new_rig(exploration=0.05, ramp_time=0.05)
    rig.activate()
    for _ in range(1500):
        if rig.phase in (Phase.STOPPED, Phase.INACTIVE):
            rig.q, rig.v = rig.arm.home.copy(), np.zeros(7)
            rig.activate()
        rig.solver.torque = random.normal(size=7) * 10.0 ** random.uniform(-2, 4)
        rig.solver.gain = random.normal(size=(7, 14)) * 10.0 ** random.uniform(-2, 6)
        event = random.uniform()
        if event < 0.01:
            rig.state(q=np.where(random.uniform(size=7) < 0.2, np.nan, rig.q))
        elif event < 0.02:
            for _ in range(random.integers(1, 40)):
                rig.silence()
        elif event < 0.03:
            rig.solver.statuses = [4] * int(random.integers(1, 6))
        elif event < 0.032:
            rig.controller.deactivate()
        elif event < 0.034:
            rig.controller.stop("enough", known=bool(random.integers(2)))
        elif event < 0.05:
            rig.state(after_ns=int(random.integers(1, 60_000_000)))
        elif event < 0.06:
            rig.solver.gain[:] = np.nan
            rig.state()
        else:
            noise = random.normal(size=14)
            rig.state(q=rig.q + 1e-3 * noise[:7], v=rig.v + 0.05 * noise[7:])
    assert len(rig.torques) > 300
