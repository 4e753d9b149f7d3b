"""The one place that knows topic names. All are relative, so a namespace moves every one of them."""

JOINT_STATES = "joint_states"  # sensor_msgs/JointState, stamped by the plant
COMMANDS = "effort_controller/commands"  # std_msgs/Float64MultiArray: joint torque without gravity [N·m]
REFERENCE = "mpc_controller/reference"  # trajectory_msgs/MultiDOFJointTrajectory: tip pose and twist wanted now
REFERENCE_JOINTS = "mpc_controller/reference_joints"  # sensor_msgs/JointState: posture, velocity, torque wanted then
PREDICTION = "mpc_controller/prediction"  # trajectory_msgs/MultiDOFJointTrajectory: tip poses the plan foresees
STATUS = "mpc_controller/status"  # diagnostic_msgs/DiagnosticArray, 10 Hz
TIMING = "mpc_controller/timing"  # std_msgs/Float64MultiArray, one a solve; columns: TIMING_COLUMNS
ACTIVE_MODEL = "mpc_controller/active_model"  # std_msgs/String, latched
EVENTS = "mpc_controller/events"  # std_msgs/String, latched: phase changes and faults, in words
TARGET = "mpc_controller/target"  # geometry_msgs/PoseStamped: live target of the tip in the base frame
ROBOT_DESCRIPTION = "robot_description"  # std_msgs/String, latched: URDF
DIAGNOSTICS = "/diagnostics"  # diagnostic_msgs/DiagnosticArray
CLOCK = "/clock"  # rosgraph_msgs/Clock

TIMING_COLUMNS = (
    "stamp",  # stamp of the joint state the solve started from [s]
    "solve_us",  # acados alone [µs]
    "tick_us",  # references, solve, plan and gains, as Python sees it [µs]
    "period_us",  # stamp difference to the solve before [µs]
    "status",  # acados status, 0 is success
    "iterations",  # interior-point iterations
    "missed",  # 1 if this solve came after its deadline
    "phase",  # controller phase as a number, see ttdm_ros.control.phase
)
