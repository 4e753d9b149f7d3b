"""aiofranka's compiled control loop around our law.

Of aiofranka only the extension is used, not its controller: the loop takes the address of a C function, and a recorder
gives every cycle, without Python being asked in between.
"""

import ctypes
from typing import Any

import mujoco
import numpy as np
from aiofranka import native as aiofranka_native
from numpy.typing import NDArray

from ttdm_ros.plants.franka.law import MEMORY, UNSEEN, LawStatus, compile_law
from ttdm_ros.plants.franka.link import CYCLE, LinkError

Array = NDArray[np.float64]

_BUFFER_CYCLES = 20_000
_SOURCES = {  # of a cycle's fields: where the loop has them, and under which name
    "time": ("state", "time"),
    "q": ("state", "qpos"),
    "dq": ("state", "qvel"),
    "tau_J": ("robot", "tau_J"),
    "tau_J_d": ("robot", "tau_J_d"),
    "q_d": ("robot", "q_d"),
    "dq_d": ("robot", "dq_d"),
    "tau_ext": ("robot", "tau_ext_hat_filtered"),
    "success_rate": ("robot", "control_command_success_rate"),
    "mode": ("extra", "robot_mode"),
    "busy": ("extra", "busy"),
    "wall": ("extra", "wall_time"),
    "tau": ("extra", "tau"),
}
_STATE_FIELDS = {"STATE_TIME": "time", "STATE_Q": "qpos", "STATE_V": "qvel", "STATE_TORQUE": "last_torque"}
# The loop computes frames of a model in every cycle, which the law has no use for: a short chain will do.
_CHAIN = (
    "<mujoco><worldbody>"
    + "".join(f"<body><joint name='{i}'/><geom size='1' mass='1'/>" for i in range(7))
    + "<site name='tip'/>"
    + "</body>" * 7
    + "</worldbody><actuator>"
    + "".join(f"<motor joint='{i}'/>" for i in range(7))
    + "</actuator></mujoco>"
)


class CompiledLoop:
    """The loop of one motion; a new one is made for each."""

    def __init__(self, block: Array) -> None:
        """Prepare; ``block`` has the law's settings.

        Raises:
            LinkError: aiofranka does not fit pylibfranka.
            SolverError: the law cannot be compiled.
        """
        try:
            self._native = aiofranka_native.load_native()
        except ImportError as error:
            raise LinkError(f"aiofranka does not fit pylibfranka ({error}); set up again: make franka") from error
        params = self._places("params")
        offsets = {name: self._places("state")[field][0] for name, field in _STATE_FIELDS.items()}
        self._custom = offsets["PARAMS_CUSTOM"] = params["custom"][0]
        self._law = compile_law(offsets)
        self._loop = self._native.Loop()
        address = ctypes.cast(self._law.ttdm_franka_law, ctypes.c_void_p).value
        index = self._loop.register_law("ttdm", address, MEMORY)
        self._loop.assign_mode(self._native.MODES["custom"], index)
        self._loop.assign_int(params["clip"][0], 0)  # the law does it
        self._loop.assign(self._custom, block)
        self._give_model()
        self._recorder = self._native.Recorder([self._slice(*source) for source in _SOURCES.values()], _BUFFER_CYCLES)
        self._loop.set_recorder(self._recorder)

    def start(self, control: Any, priority: int) -> None:
        """Run with an active torque control of pylibfranka, under SCHED_FIFO with a priority if that is permitted."""
        self._loop.start(control, fifo_priority=priority)

    def command(self, block: Array) -> None:
        """Let the law use another block of parameters from the next cycle on."""
        self._loop.assign(self._custom, block)

    def cycles(self) -> np.ndarray:
        """Return the cycles (n,) of CYCLE since the last call."""
        return np.array(self._recorder.drain()).view(CYCLE)

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return bool(self._loop.running())

    @property
    def status(self) -> LawStatus:
        """What the law does."""
        snapshot = self._loop.snapshot()
        return UNSEEN if snapshot is None else LawStatus.of(np.asarray(snapshot["memory"]))

    @property
    def error(self) -> str:
        """What ended it, in libfranka's words."""
        return " ".join(str(self._loop.error()).split())

    @property
    def scheduling_problem(self) -> str:
        """Why it runs without real-time scheduling; empty if it has it."""
        return str(self._loop.realtime_status()).strip("; ")

    def end(self) -> None:
        """End it, and wait for that."""
        self._loop.request_stop()
        self._loop.join()
        self._loop.set_recorder(None)

    def _give_model(self) -> None:
        model = mujoco.MjModel.from_xml_string(_CHAIN)
        data = mujoco.MjData(model)
        mujoco.mj_forward(model, data)
        site = model.site("tip").id
        arrays = {
            "data": data._address,
            "qpos": data.qpos.ctypes.data,
            "qvel": data.qvel.ctypes.data,
            "ctrl": data.ctrl.ctypes.data,
            "site_xpos": data.site_xpos[site].ctypes.data,
            "site_xmat": data.site_xmat[site].ctypes.data,
        }
        functions = aiofranka_native._mujoco_functions()
        self._loop.set_mujoco(model._address, arrays, site, float(model.opt.timestep), 0.0, functions)
        self._kept = (model, data)  # the loop has their addresses

    def _places(self, source: str) -> dict[str, tuple[int, int]]:
        """Return offset and size [bytes] of every field of one of the loop's structures."""
        layout = getattr(self._native, f"{source.upper() if source != 'extra' else 'RECORD_EXTRA'}_LAYOUT")
        return {name: (offset, 8 * int(np.prod(shape, dtype=int))) for name, offset, shape, _ in layout}

    def _slice(self, source: str, name: str) -> tuple[int, int, int]:
        offset, size = self._places(source)[name]
        return self._native.RECORD_SOURCES[source], offset, size
