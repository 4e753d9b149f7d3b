"""The simulator, but what it publishes of the arm is spoilt in the way that the topic ``fault`` asks for."""

import sys

import numpy as np
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from ttdm_ros.nodes import simulator
from ttdm_ros.nodes.cdr import MessageTemplate

KINDS = ("none", "nan", "same stamp", "stuck", "missing", "another order")


class FaultySimulator(simulator.Simulator):
    """Publishes joint states as they must not be."""

    def __init__(self) -> None:
        super().__init__()
        self._kind = "none"
        self._frozen = (0, np.zeros(7))
        names = self.arm.joint_names
        self._templates = {"missing": names[:6], "another order": ("finger", *names[::-1])}
        self.create_subscription(String, "fault", self._on_fault, 1)

    def _on_fault(self, message: String) -> None:
        if message.data not in KINDS:
            raise ValueError(message.data)
        if self._kind != message.data:
            self._frozen = (self._stamp_ns(), self.plant.measure().q)
            self._kind = message.data

    def _publish_state(self) -> None:
        measured, stamp = self.plant.measure(), self._stamp_ns()
        q, v, tau = measured.q, measured.v, measured.tau
        match self._kind:
            case "nan":
                v = np.where(np.arange(7) == 3, np.nan, v)
            case "same stamp":
                stamp = self._frozen[0]
            case "stuck":
                q, v = self._frozen[1], np.full(7, 0.1)
            case "missing":
                q, v, tau = q[:6], v[:6], tau[:6]
            case "another order":
                q, v, tau = (np.concatenate(([9.0], values[::-1])) for values in (q, v, tau))
        names = list(self._templates.get(self._kind, self.arm.joint_names))
        zeros = [0.0] * len(names)
        template = MessageTemplate(JointState(name=names, position=zeros, velocity=zeros, effort=zeros))
        self._state_publisher.publish(template.fill(stamp, np.concatenate((q, v, tau))))


if __name__ == "__main__":
    simulator.Simulator = FaultySimulator
    sys.exit(simulator.main())
