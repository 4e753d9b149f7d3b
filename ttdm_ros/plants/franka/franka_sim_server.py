"""A simulated FR3 that speaks the robot's network protocol, with its limits enforced: franka-sim, started from Python.

    FR3_MJCF=fr3.xml python franka_sim_server.py ADDRESS

It runs with the Python that has franka-sim (make franka), and imports nothing of this package: they pin other
versions. franka-sim's own command line would listen on every network interface; this listens on ADDRESS, which has to
be one of 127.0.0.1 to 127.255.255.254. The port is libfranka's, 1337.
"""

import ipaddress
import logging
import signal
import sys
import threading
import time
from typing import Any

import mujoco
from franka_sim.franka_sim_server import FrankaSimServer
from franka_sim.mujoco_franka_sim import MujocoFrankaSim

PAYLOAD = "unmodelled_payload"
PORT = 1337


class Arm(MujocoFrankaSim):  # type: ignore[misc]
    """franka-sim's arm, one step of which is one state that is sent, and whose payload keeps its weight.

    franka-sim steps the arm by the wall clock, beside the thread that sends states. Where the machine is busy fewer
    states are sent than steps made: then milliseconds of the robot's clock, which counts states, are longer than those
    of its arm, and every controller that goes by that clock drives too fast for it.
    """

    sender: int | None = None
    """The thread that sends states, while there is a client."""

    def initialize_simulation(self) -> Any:
        """Load the arm."""
        self._stepping = threading.Lock()
        result = super().initialize_simulation()
        body = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_BODY, PAYLOAD)
        if body >= 0:
            self.model.body_gravcomp[body] = 0.0  # the robot does not know of it
        return result

    def get_robot_state(self) -> Any:
        """Return the state; whoever sends it has the arm stepped for that."""
        if threading.get_ident() == self.sender:
            self._advance()
        return super().get_robot_state()

    def run_simulation(self) -> None:
        """Step the arm while there is no client."""
        while self.running:
            if self.sender is None:
                self._advance()
            time.sleep(self.dt)

    def _advance(self) -> None:
        with self._stepping:
            self._apply_control()
            mujoco.mj_step(self.model, self.data)
            self._read_and_publish_state()


class Server(FrankaSimServer):  # type: ignore[misc]
    """franka-sim's server, which tells the arm who sends its states."""

    def start_robot_state_transmission(self, *arguments: Any) -> None:
        """Send states until the client is gone."""
        self.physics_sim.sender = threading.get_ident()
        try:
            super().start_robot_state_transmission(*arguments)
        finally:
            self.physics_sim.sender = None


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    address = sys.argv[1] if len(sys.argv) == 2 else "none"
    try:
        is_local = ipaddress.ip_address(address).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        print("franka_sim_server: give one address of this machine only, as 127.0.0.1", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    server = Server(
        host=address,
        port=PORT,
        physics_sim=Arm(),
        enable_gripper=False,
        enforce_comm_constraints=True,
        enforce_motion_limits=True,
    )

    def on_signal(_number: int, _frame: Any) -> None:
        server.stop()
        raise SystemExit(0)

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    server.start()
    return 0


if __name__ == "__main__":
    sys.exit(main())
