"""The one place that knows topic names. All are relative, so a namespace moves every one of them."""

JOINT_STATES = "joint_states"  # sensor_msgs/JointState, stamped by the plant
COMMANDS = "effort_controller/commands"  # std_msgs/Float64MultiArray: joint torque without gravity [N·m]
MOTOR_COMMANDS = "motor_effort_controller/commands"  # std_msgs/Float64MultiArray: what a holder makes of them [N·m]
REFERENCE = "mpc_controller/reference"  # trajectory_msgs/MultiDOFJointTrajectory: tip pose and twist wanted now
REFERENCE_JOINTS = "mpc_controller/reference_joints"  # sensor_msgs/JointState: posture, velocity, torque wanted then
PREDICTION = "mpc_controller/prediction"  # trajectory_msgs/MultiDOFJointTrajectory: tip poses the plan foresees
STATUS = "mpc_controller/status"  # diagnostic_msgs/DiagnosticArray, 10 Hz
TIMING = "mpc_controller/timing"  # std_msgs/Float64MultiArray, one a solve; columns: TIMING_COLUMNS
ACTIVE_MODEL = "mpc_controller/active_model"  # std_msgs/String, latched
EVENTS = "mpc_controller/events"  # std_msgs/String, latched: phase changes, refusals and faults, in words
REFUSED = "refused: "  # what an event begins with, after its time, that tells why a transition was not made
TARGET = "mpc_controller/target"  # geometry_msgs/PoseStamped: live target of the tip in the base frame
LAW = "mpc_controller/law"  # trajectory_msgs/JointTrajectory: u_ff, x_ref and K, see ttdm_ros.nodes.law_message
ROBOT_DESCRIPTION = "robot_description"  # std_msgs/String, latched: URDF
DIAGNOSTICS = "/diagnostics"  # diagnostic_msgs/DiagnosticArray
CLOCK = "/clock"  # rosgraph_msgs/Clock
FRANKA_MEASURED = "franka_driver/measured"  # sensor_msgs/JointState: q, dq, tau_J, as the robot's sensors say
FRANKA_DESIRED = "franka_driver/desired"  # sensor_msgs/JointState: q_d, dq_d, tau_J_d: torque asked of the robot
FRANKA_EXTERNAL = "franka_driver/external_torque"  # sensor_msgs/JointState: effort is tau_ext_hat_filtered
FRANKA_LOOP = "franka_driver/loop"  # std_msgs/Float64MultiArray; columns: FRANKA_LOOP_COLUMNS
FRANKA_EVENTS = "franka_driver/events"  # std_msgs/String, latched: motions, stops and errors, in words

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

FRANKA_LOOP_COLUMNS = (
    "stamp",  # of the joint state of the same cycle [s]
    "robot_time",  # [s]
    "success_rate",  # share of the last 100 commands that came in time
    "robot_mode",  # as a number, see ttdm_ros.plants.franka.link.MODES
    "law_phase",  # as a number, see ttdm_ros.plants.franka.law.LawPhase
    "busy_us",  # from a state's arrival to the command that answers it [µs]
    "period_us",  # wall time since the cycle before [µs]
)
