"""libfranka's error names in plain words: what happened, and what to do before the operator lets the robot recover."""

import re
from types import MappingProxyType

_MOTION = "a check of a motion generator, which this driver does not use; another program commanded the robot: end it"

REFLEXES = MappingProxyType(
    {
        "communication_constraints_violation": "commands of the driver came too late, too often; free the machine, use "
        "a real-time kernel and a direct cable",
        "controller_torque_discontinuity": "torque changed by more than 1 N·m in a millisecond; the driver clips that, "
        "so commands were lost on the way or another program sent them: check the network",
        "joint_velocity_violation": "a joint moved too fast; lower the task's speed or controller.approach_speed, and "
        "check that the load is set",
        "cartesian_velocity_violation": "the end effector moved too fast; lower the task's speed",
        "joint_position_limits_violation": "a joint came too close to its limit; move the arm away by hand, and choose "
        "a task that stays inside",
        "cartesian_position_limits_violation": "the end effector left the space set in Desk; move it back by hand",
        "self_collision_avoidance_violation": "links of the arm came too close to each other; move them apart by hand, "
        "and change the task",
        "joint_reflex": "a collision: external torque in a joint above collision.upper_torque; clear the way, or raise "
        "the thresholds if nothing was touched",
        "cartesian_reflex": "a collision: external force at the end effector above collision.upper_force; clear the "
        "way, or set the load if nothing was touched",
        "tau_J_range_violation": "a joint's torque sensor left its range; take load off the arm",
        "power_limit_violation": "the motors took too much power; drive more slowly or with less load",
        "instability_detected": "the robot found its motion unstable; lower the weights of the controller",
        "max_goal_pose_deviation_violation": "the robot is too far from the end of its own motion; recover",
        "max_path_pose_deviation_violation": "the robot is too far from the path of its own motion; recover",
        "cartesian_velocity_profile_safety_violation": "the end effector broke a speed limit of the safety settings in "
        "Desk; drive more slowly",
        "joint_move_in_wrong_direction": "a joint beyond its limit was moved further out; move it back by hand",
        "force_control_safety_violation": "the robot's force controller met nothing to push against; end what uses it",
        "force_controller_desired_force_tolerance_violation": "the robot's force controller missed its force; end what "
        "uses it",
        "joint_p2p_insufficient_torque_for_planning": "the robot lacks torque for its own motion; take load off",
        "base_acceleration_initialization_timeout": "the sensor in the robot's base did not start; restart the robot",
        "base_acceleration_invalid_reading": "the sensor in the robot's base gives no values; restart the robot",
        **{
            name: _MOTION
            for name in (
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
                "cartesian_position_motion_generator_invalid_frame_flag",
                "cartesian_position_motion_generator_start_pose_invalid",
                "cartesian_spline_motion_generator_violation",
                "joint_motion_generator_acceleration_discontinuity",
                "joint_motion_generator_position_limits_violation",
                "joint_motion_generator_velocity_discontinuity",
                "joint_motion_generator_velocity_limits_violation",
                "joint_position_motion_generator_start_pose_invalid",
                "joint_via_motion_generator_planning_joint_limit_violation",
                "start_elbow_sign_inconsistent",
            )
        },
    }
)
"""By the name that libfranka 0.21 prints, which is not always the name of the field in ``franka::Errors``."""

_NAME = re.compile(r"[A-Za-z][A-Za-z_0-9]+")


def error_names(text: str) -> tuple[str, ...]:
    """Return libfranka's names of errors in a text of its own, in the order of their appearance, each once."""
    return tuple(dict.fromkeys(word for word in _NAME.findall(text) if word in REFLEXES))


def explain(text: str) -> str:
    """Return in plain words what a message of libfranka says: the errors in it, or else the message itself."""
    if names := error_names(text):
        return "; ".join(f"{name}: {REFLEXES[name]}" for name in names)
    lower = text.lower()
    if "udp" in lower or "tcp" in lower or "connection" in lower or "network" in lower:
        return f"the connection to the robot is lost ({text}); check cable and robot"
    if "user" in lower and "stop" in lower:
        return f"the robot was stopped by its button ({text}); release it"
    return text or "the robot ended the motion without giving a reason; look into Desk"
