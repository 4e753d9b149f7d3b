"""What exchanging models costs a controller that drives: real processes, many exchanges, refused ones among them."""

import itertools
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table
from safetensors.numpy import load_file, save_file

from ttdm_ros.dynamics.bundle import WEIGHTS, load_model, save_model
from ttdm_ros.dynamics.model import PredictionModel
from ttdm_ros.errors import TtdmError
from ttdm_ros.evaluation.demo_session import PATIENT_CONTROLLER, DemoSession, node_environment
from ttdm_ros.evaluation.demo_view import DemoView
from ttdm_ros.evaluation.processes import ProcessGroup
from ttdm_ros.evaluation.ros_domain import free_domain
from ttdm_ros.evaluation.run_data import RunData
from ttdm_ros.evaluation.summary import read_run
from ttdm_ros.evaluation.swap import AROUND, torque_step
from ttdm_ros.paths import find_config
from ttdm_ros.systems.arm import load_arm
from ttdm_ros.yaml_text import read_yaml

PERIOD_S = 0.6  # from one exchange to the next
REFUSED_EVERY = 5  # exchanges, after which one follows that is to be refused
SIZE = 0.3  # of what the models add to the acceleration [rad/s²]
_LAP_S = 2.0  # at least, of the demo's circle
_SPARE_S = 20.0


@dataclass(slots=True, kw_only=True)
class Exchanges:
    """What was asked while the arm was driven; times are those from the question to the answer [s].

    Attributes:
        accepted: fingerprints, in order, with the times.
        refused: reasons of those that were to be refused, in order.
        wrong: answers that were not the one that was due.
        spans_ns: from each question to its answer, refused ones included, by the wall clock [ns].
    """

    accepted: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    spans_ns: list[tuple[int, int]] = field(default_factory=list)

    def ask(self, session: DemoSession, model: Path) -> tuple[bool, str]:
        """Ask for an exchange; return whether it was made, and the answer."""
        asked = time.time_ns()
        done, answer = session.request(show=False, set={"model": str(model)})
        self.spans_ns.append((asked, time.time_ns()))
        return done, answer


def run(*, robot: str = "panda", swaps: int = 100, progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """Drive for a while without exchanges, then for as long with one every 0.6 s; print a table, return the figures.

    Recorder, simulator and controller run as in the demo.

    Args:
        robot: name that ships, or a path.
        swaps: exchanges that are to be accepted; every fifth is followed by one that is to be refused.
        progress: told the share that is done, now and then.

    Returns:
        ``swaps``, ``refused``, ``wrong_answers``; ``swap_ms`` (``p50``, ``p99``, ``max``); ``count`` and ``share`` of
        solves that missed their deadline: ``late_without`` in the stretch without exchanges, ``late_near`` from a
        question to 0.25 s after its answer, ``late_between`` in the rest of that stretch; ``torque_step`` and
        ``torque_step_share`` (``p50``, ``max``), [N·m] and over what is allowed; ``steps_beyond``;
        ``torque_rate_violations``, ``failed_solves``; ``told_in_order``: whether the bag tells every exchange.

    Raises:
        TtdmError: a process ended early or badly, or the controller found a fault.
    """
    console = Console()
    arm = load_arm(robot)
    with tempfile.TemporaryDirectory(prefix="ttdm_swap_") as name:
        folder = Path(name)
        good, bad = _make_models(folder, arm.name)
        task = _make_task(folder, 2 * swaps * PERIOD_S + _SPARE_S)
        with ProcessGroup() as group, DemoView(Console(quiet=True)) as view:
            environment = node_environment(free_domain(), folder)
            session = DemoSession(group, view, logs=folder, environment=environment, robot={"robot": robot})
            session.record(folder / "bag")
            session.start(
                plant="payload_friction",
                controller={"task": str(task)} | PATIENT_CONTROLLER,
            )
            session.follow("tracking")
            told = progress or (lambda share: None)
            began = time.time_ns()
            for i in range(swaps):
                session.wait(PERIOD_S, show=False)
                told(0.5 * (i + 1) / swaps)
            ended = time.time_ns()
            exchanges = _exchange(session, good, bad, swaps, told)
            session.wait(2.0 * AROUND, show=False)
            if problems := [ended.problem for ended in group.stop_all() if ended.problem]:
                raise TtdmError(problems[0])
        figures = _figures(read_run(folder / "bag", arm), exchanges, began, ended)
    figures = {"robot": arm.name, "period_s": PERIOD_S} | figures
    _print(console, figures)
    return figures


def _make_models(folder: Path, robot: str) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Write bundles that can be used, and others with a part of the reason for which they cannot."""
    specification = load_model("nominal").specification
    good = []
    for seed in range(3):
        save_model(PredictionModel.random(specification, seed=seed, scale=SIZE), folder / f"model_{seed}")
        good.append(folder / f"model_{seed}")
    save_model(PredictionModel.random(specification, seed=9, scale=SIZE), folder / "nan")
    tensors = load_file(folder / "nan" / WEIGHTS)
    save_file(tensors | {"output_mean": np.full(7, np.nan)}, folder / "nan" / WEIGHTS)
    stranger = folder / "stranger"
    save_model(PredictionModel.random(specification, seed=8, scale=SIZE), stranger)
    description = read_yaml((stranger / "model.yaml").read_text(encoding="utf-8"))
    (stranger / "model.yaml").write_text(yaml.safe_dump(description | {"robot": f"not {robot}"}), encoding="utf-8")
    return good, [(folder / "nan", "holds NaN or infinity"), (stranger, f"was made for not {robot}")]


def _make_task(folder: Path, seconds: float) -> Path:
    """Write the demo's task with as many laps as last so long."""
    task = read_yaml(find_config("tasks", "demo").read_text(encoding="utf-8"))
    path = folder / "laps.yaml"
    path.write_text(yaml.safe_dump(task | {"laps": math.ceil(seconds / _LAP_S)}), encoding="utf-8")
    return path


def _exchange(
    session: DemoSession,
    good: list[Path],
    bad: list[tuple[Path, str]],
    swaps: int,
    progress: Callable[[float], None],
) -> Exchanges:
    done, refusals = Exchanges(), itertools.cycle(bad)
    due = time.monotonic()
    for i in range(swaps):
        model = good[i % len(good)]
        accepted, answer = done.ask(session, model)
        done.seconds.append(1e-9 * (done.spans_ns[-1][1] - done.spans_ns[-1][0]))
        if accepted:
            done.accepted.append(load_model(model).fingerprint)
        else:
            done.wrong.append(answer)
        if i % REFUSED_EVERY == REFUSED_EVERY - 1:
            path, reason = next(refusals)
            accepted, answer = done.ask(session, path)
            (done.wrong if accepted or reason not in answer else done.refused).append(answer)
        due += PERIOD_S
        session.wait(max(due - time.monotonic(), 0.0), show=False)
        progress(0.5 + 0.5 * (i + 1) / swaps)
    return done


def _figures(data: RunData, exchanges: Exchanges, began_ns: int, ended_ns: int) -> dict[str, Any]:
    texts, timing = data.recording.active_model, data.recording.timing
    if texts is None or timing is None:
        raise TtdmError("the bag lacks what the controller tells of models and solves; see that the disk is not full")
    sent, late = timing.publish_time_ns, data.timing("missed") != 0.0
    without = (sent >= began_ns) & (sent < ended_ns)
    told_at = texts.publish_time_ns[texts.publish_time_ns >= ended_ns]
    near = np.zeros(len(sent), dtype=bool)
    for asked, answered in exchanges.spans_ns:  # a model is tried before it takes over: that may cost something, too
        near |= (sent >= asked) & (sent < answered + round(1e9 * AROUND))
    between = ~near & (sent >= ended_ns) & (sent < exchanges.spans_ns[-1][1])
    steps = [torque_step(data, int(at)) for at in told_at]
    shares = np.array([step / allowed for step, allowed in steps])
    sizes = np.array([step for step, _ in steps])
    told = [text.split()[-1] for text in texts.text[-len(told_at) :]] if len(told_at) else []
    seconds = 1e3 * np.array(exchanges.seconds)
    return {
        "swaps": len(exchanges.accepted),
        "refused": len(exchanges.refused),
        "wrong_answers": exchanges.wrong,
        "swap_ms": {"p50": _percentile(seconds, 50), "p99": _percentile(seconds, 99), "max": _percentile(seconds, 100)},
        **{
            f"late_{name}": {
                "count": int(late[chosen].sum()),
                "share": float(late[chosen].mean()) if chosen.any() else math.nan,
            }
            for name, chosen in (("without", without), ("between", between), ("near", near))
        },
        "torque_step": {"p50": _percentile(sizes, 50), "max": _percentile(sizes, 100)},
        "torque_step_share": {"p50": _percentile(shares, 50), "max": _percentile(shares, 100)},
        "steps_beyond": int((shares > 1.0 + 1e-6).sum()),
        "torque_rate_violations": data.metrics.limits.torque_rate_violations,
        "failed_solves": int((data.timing("status") != 0.0).sum()),
        "told_in_order": told == exchanges.accepted,
    }


def _percentile(values: np.ndarray, share: float) -> float:
    return float(np.percentile(values, share)) if len(values) else math.nan


def _print(console: Console, figures: dict[str, Any]) -> None:
    spread, step, share = figures["swap_ms"], figures["torque_step"], figures["torque_step_share"]

    def late(name: str) -> str:
        return f"{figures[f'late_{name}']['count']} ({figures[f'late_{name}']['share']:.2%})"

    table = Table(title=f"exchanges while driving, {figures['robot']}, one every {PERIOD_S} s", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for label, value in (
        ("accepted", f"{figures['swaps']}, each told in the bag: {'yes' if figures['told_in_order'] else 'no'}"),
        ("refused, as they should be", str(figures["refused"])),
        ("wrong answers", str(len(figures["wrong_answers"]))),
        ("from question to answer, p50 / p99 / max", " / ".join(f"{spread[k]:.1f}" for k in spread) + " ms"),
        ("late solves in the stretch without", late("without")),
        (f"from a question to {AROUND} s after its answer", late("near")),
        ("in the rest of that stretch", late("between")),
        ("torque step, p50 / max", f"{step['p50']:.2f} / {step['max']:.2f} N·m"),
        ("the same over what is allowed", f"{share['p50']:.0%} / {share['max']:.0%}"),
        ("steps beyond it", str(figures["steps_beyond"])),
        ("torque-rate violations", str(figures["torque_rate_violations"])),
        ("failed solves", str(figures["failed_solves"])),
    ):
        table.add_row(label, value)
    console.print(table)
    for answer in figures["wrong_answers"]:
        console.print(answer, highlight=False, markup=False)
