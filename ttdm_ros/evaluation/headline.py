"""The figures of a run in words, for the terminal and for the page."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttdm_ros.evaluation.limits import Limits
from ttdm_ros.evaluation.run_metrics import RunMetrics
from ttdm_ros.evaluation.swap import Swap

if TYPE_CHECKING:
    from rich.table import Table

_UNKNOWN = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table: what it is, its value, what belongs to it, and whether something is wrong with it."""

    label: str
    value: str
    detail: str = ""
    alarm: bool = False


def headline(metrics: RunMetrics, joint_names: tuple[str, ...], swap: Swap | None = None) -> list[Row]:
    """Return the lines; values that the bag does not tell are dashes."""
    return [
        *([] if swap is None else _swap(swap)),
        *_tracking(metrics),
        *_control(metrics),
        *_limits(metrics.limits, joint_names),
        *_messages(metrics),
    ]


def as_table(rows: list[Row], title: str) -> "Table":
    """Return the lines as a table for the terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    for row in rows:
        table.add_row(row.label, Text(row.value, style="bold red" if row.alarm else "bold"), row.detail)
    return table


def _swap(swap: Swap) -> list[Row]:
    return [
        Row(
            label="RMSE before / after the swap",
            value=f"{swap.before_mm:.2f} / {swap.after_mm:.2f} mm",
            detail=f"{swap.reduction:.0%} less, on the same {swap.section_s:.1f} s of the path",
        ),
        Row(
            label="torque step at the swap",
            value=f"{swap.torque_step:.2f} N·m",
            detail=f"{swap.torque_step_allowed:.2f} N·m allowed; {swap.missed_deadlines} deadlines missed around it",
            alarm=swap.steps_too_far or swap.missed_deadlines > 0,
        ),
    ]


def _tracking(metrics: RunMetrics) -> list[Row]:
    tracking = metrics.tracking
    if tracking is None:
        return [Row(label="tracking error RMSE", value=_UNKNOWN), Row(label="orientation error RMSE", value=_UNKNOWN)]
    return [
        Row(
            label="tracking error RMSE" if tracking.drives == 1 else "tracking error RMSE, all drives",
            value=f"{tracking.rmse_mm:.2f} mm",
            detail=f"p50 {tracking.median_mm:.2f}, p95 {tracking.p95_mm:.2f}, max {tracking.max_mm:.2f} mm",
        ),
        Row(
            label="orientation error RMSE",
            value=f"{tracking.orientation_rmse_deg:.2f}°",
            detail=f"max {tracking.orientation_max_deg:.2f}°; {tracking.duration_s:.1f} s of tracking",
        ),
    ]


def _control(metrics: RunMetrics) -> list[Row]:
    control = metrics.control
    if control is None:
        labels = ("control rate", "solve time p50 / p99", "missed deadlines")
        return [Row(label=label, value=_UNKNOWN) for label in labels]
    solve, tick, jitter = control.solve_us, control.tick_us, control.jitter_us
    return [
        Row(
            label="control rate",
            value=f"{_number(control.rate_hz, 1)} Hz",
            detail=f"jitter p99 {_number(jitter.p99, 0)}, max {_number(jitter.max, 0)} µs",
        ),
        Row(
            label="solve time p50 / p99",
            value=f"{_number(solve.p50, 0)} / {_number(solve.p99, 0)} µs",
            detail=f"whole tick {_number(tick.p50, 0)} / {_number(tick.p99, 0)} µs",
        ),
        Row(
            label="missed deadlines",
            value=str(control.missed_deadlines),
            detail=f"of {control.solves} solves; {control.failures} failed",
            alarm=control.failures > 0,
        ),
    ]


def _limits(limits: Limits, joint_names: tuple[str, ...]) -> list[Row]:
    where = ""
    if limits.torque_shares is not None:
        largest = max(range(len(limits.torque_shares)), key=limits.torque_shares.__getitem__)
        where = f"at {joint_names[largest]}"
    rate = "" if limits.torque_rate_max is None else f"{limits.torque_rate_max:.0f} N·m/s"
    counts = {
        "positions": limits.position_violations,
        "velocities": limits.velocity_violations,
        "torques": limits.torque_violations,
        "torque rates": limits.torque_rate_violations,
    }
    known = {name: count for name, count in counts.items() if count is not None}
    return [
        Row(label="peak torque / limit", value=_percent(limits.torque_share), detail=where),
        Row(label="peak torque rate / limit, at least", value=_percent(limits.torque_rate_share), detail=rate),
        Row(
            label="samples beyond a limit",
            value=str(limits.violations) if known else _UNKNOWN,
            detail=", ".join(f"{name} {count}" for name, count in known.items()),
            alarm=limits.violations > 0,
        ),
    ]


def _messages(metrics: RunMetrics) -> list[Row]:
    bag, states = metrics.bag, metrics.joint_states
    rows = []
    if states is not None:
        rows.append(
            Row(
                label="joint states",
                value=f"{_number(states.rate_hz, 1)} Hz",
                detail=f"longest gap {_number(states.longest_gap_ms, 1)} ms, {states.skipped} periods skipped",
            )
        )
    detail = f"in {bag.duration_s:.1f} s, {bag.size_mb:.1f} MB"
    rows.append(
        Row(label="messages recorded / lost", value=f"{bag.recorded} / {bag.lost}", detail=detail, alarm=bag.lost > 0)
    )
    return rows


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else _UNKNOWN


def _percent(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{share:.0%}"
