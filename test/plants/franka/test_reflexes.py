"""Error names of libfranka become sentences that tell what to do."""

import pytest

from ttdm_ros.errors import PlantError
from ttdm_ros.plants.franka.environment import driver_python
from ttdm_ros.plants.franka.reflexes import REFLEXES, error_names, explain

ABORTED = "libfranka: Move command aborted: motion aborted by reflex! "
PRINTED = (
    "base_acceleration_initialization_timeout",
    "base_acceleration_invalid_reading",
    "cartesian_motion_generator_acceleration_discontinuity",
    "cartesian_motion_generator_elbow_limit_violation",
    "cartesian_motion_generator_elbow_sign_inconsistent",
    "cartesian_motion_generator_joint_acceleration_discontinuity",
    "cartesian_motion_generator_joint_position_limits_violation",
    "cartesian_motion_generator_joint_velocity_discontinuity",
    "cartesian_motion_generator_joint_velocity_limits_violation",
    "cartesian_motion_generator_start_elbow_invalid",
    "cartesian_motion_generator_velocity_discontinuity",
    "cartesian_motion_generator_velocity_limits_violation",
    "cartesian_position_limits_violation",
    "cartesian_position_motion_generator_invalid_frame_flag",
    "cartesian_position_motion_generator_start_pose_invalid",
    "cartesian_reflex",
    "cartesian_spline_motion_generator_violation",
    "cartesian_velocity_profile_safety_violation",
    "cartesian_velocity_violation",
    "communication_constraints_violation",
    "controller_torque_discontinuity",
    "force_control_safety_violation",
    "force_controller_desired_force_tolerance_violation",
    "instability_detected",
    "joint_motion_generator_acceleration_discontinuity",
    "joint_motion_generator_position_limits_violation",
    "joint_motion_generator_velocity_discontinuity",
    "joint_motion_generator_velocity_limits_violation",
    "joint_move_in_wrong_direction",
    "joint_p2p_insufficient_torque_for_planning",
    "joint_position_limits_violation",
    "joint_position_motion_generator_start_pose_invalid",
    "joint_reflex",
    "joint_velocity_violation",
    "joint_via_motion_generator_planning_joint_limit_violation",
    "max_goal_pose_deviation_violation",
    "max_path_pose_deviation_violation",
    "power_limit_violation",
    "self_collision_avoidance_violation",
    "start_elbow_sign_inconsistent",
    "tau_J_range_violation",
)
"""What libfranka 0.21.3 prints: the names of ``research_interface::robot::getErrorName``, as its library holds them
(libfranka.so of the package pylibfranka 0.21.3). Two are not those of the fields in ``franka::Errors``."""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (ABORTED + '["communication_constraints_violation"]', ("communication_constraints_violation",)),
        (
            ABORTED + '["joint_reflex", "cartesian_reflex"] control_command_success_rate: 0.98',
            ("joint_reflex", "cartesian_reflex"),
        ),
        ("[joint_velocity_violation, joint_velocity_violation]", ("joint_velocity_violation",)),
        ("[]", ()),
    ],
)
def test_names_are_found_in_what_libfranka_says(text: str, names: tuple[str, ...]) -> None:
    assert error_names(text) == names


def test_a_reflex_is_explained_with_its_name_and_what_to_do() -> None:
    told = explain(ABORTED + '["controller_torque_discontinuity"] control_command_success_rate: 1')
    assert told.startswith("controller_torque_discontinuity: torque changed by more than 1 N·m")
    assert "check the network" in told
    assert "aborted" not in told


def test_two_reflexes_at_once_are_both_explained() -> None:
    told = explain('["joint_reflex", "cartesian_reflex"]')
    assert "collision.upper_torque" in told
    assert "collision.upper_force" in told


@pytest.mark.parametrize(
    "text", ["libfranka: UDP receive: Timeout", "libfranka: TCP connection got interrupted.", "Network is unreachable"]
)
def test_a_lost_connection_is_told_as_such(text: str) -> None:
    assert explain(text) == f"the connection to the robot is lost ({text}); check cable and robot"


def test_what_is_not_known_is_passed_on_and_silence_is_no_answer() -> None:
    assert explain("something new") == "something new"
    assert "Desk" in explain("")


def test_the_table_has_every_error_that_libfranka_prints_and_no_other() -> None:
    assert set(REFLEXES) == set(PRINTED)


@pytest.mark.parametrize("name", PRINTED)
def test_every_printed_name_is_found_and_explained(name: str) -> None:
    assert error_names(f'{ABORTED}["{name}"] control_command_success_rate: 1') == (name,)
    assert explain(f'{ABORTED}["{name}"]').startswith(f"{name}: ")


def test_the_library_that_is_installed_prints_these_names() -> None:
    try:
        python = driver_python()
    except PlantError as error:
        pytest.skip(str(error))
    (library, *_) = python.parents[1].glob("lib/python*/site-packages/pylibfranka*/libfranka*.so*")
    held = set(library.read_bytes().split(b"\0"))
    assert [name for name in PRINTED if name.encode() not in held] == []


def test_every_sentence_says_what_to_do() -> None:
    for name, sentence in REFLEXES.items():
        assert ";" in sentence, name
        assert not sentence.endswith("."), name
