"""Stands for the arm in Gazebo: its engine, its URDF, simulated time, and motors that keep the last torque."""

import signal
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import dartpy as dart
import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from ttdm_ros import topics
from ttdm_ros.nodes.pacer import Pacer
from ttdm_ros.plants.config import PAYLOAD, load_plant
from ttdm_ros.plants.gazebo.robot import gazebo_urdf
from ttdm_ros.systems.arm import load_arm

STEP_NS, STEPS_A_STATE = 1_000_000, 2


def read_robot(urdf: str) -> dart.dynamics.Skeleton:
    """Return the arm as Gazebo makes it: frames without mass lumped, links without weight but for the payload."""
    robot = ElementTree.fromstring(urdf)
    empty = {link.get("name") for link in robot.findall("link") if link.find("inertial") is None} - {"world"}
    for element in list(robot):
        child = element.find("child")
        name = element.get("name") if element.tag == "link" else child.get("link") if child is not None else None
        if element.tag in ("link", "joint") and name in empty:
            robot.remove(element)
    skeleton = dart.utils.DartLoader().parseSkeletonString(ElementTree.tostring(robot, encoding="unicode"), "")
    for i in range(skeleton.getNumBodyNodes()):
        body = skeleton.getBodyNode(i)
        body.setGravityMode(body.getName() == PAYLOAD)
    return skeleton


class DartArm(Node):
    def __init__(self) -> None:
        super().__init__("dart_arm", automatically_declare_parameters_from_overrides=True)
        arm = load_arm("panda")
        urdf = gazebo_urdf(arm, load_plant(self.get_parameter("plant").value), Path("controllers.yaml"))
        self.arm = read_robot(urdf)
        self.arm.setPositions(arm.home)
        self.world = dart.simulation.World()
        self.world.setTimeStep(1e-9 * STEP_NS)
        self.world.setGravity([0.0, 0.0, -9.81])
        self.world.addSkeleton(self.arm)
        self.torque: np.ndarray | None = None  # until then the joints are held, as gz_ros2_control does
        self.names = list(arm.joint_names)
        self.states = self.create_publisher(JointState, topics.JOINT_STATES, 10)
        self.clock = self.create_publisher(Clock, topics.CLOCK, 1)
        self.create_subscription(Float64MultiArray, topics.MOTOR_COMMANDS, self._on_command, 1)

    def _on_command(self, message: Float64MultiArray) -> None:
        self.torque = np.array(message.data)

    def run(self, executor: SingleThreadedExecutor) -> None:
        pacer = Pacer(round(STEPS_A_STATE * STEP_NS / self.get_parameter("real_time_factor").value))
        time_ns = 0
        while True:
            executor.spin_once(timeout_sec=0.0)
            time.sleep(pacer.remaining())
            pacer.tick()
            for _ in range(STEPS_A_STATE):
                time_ns += STEP_NS
                if self.torque is not None:
                    self.arm.setForces(self.torque)
                    self.world.step()
            clock = Clock()
            clock.clock.sec, clock.clock.nanosec = divmod(time_ns, 10**9)
            self.clock.publish(clock)
            state = JointState(name=self.names)
            state.header.stamp = clock.clock
            state.position, state.velocity = list(self.arm.getPositions()), list(self.arm.getVelocities())
            self.states.publish(state)


def main() -> None:
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    node = DartArm()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    node.run(executor)


if __name__ == "__main__":
    main()
