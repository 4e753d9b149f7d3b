"""The study's findings: the tidy table, the figures of summary.json, and the claims with what the data say of each."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ttdm_ros.evaluation.study.config import StudyConfig, Variant
from ttdm_ros.evaluation.study.statistics import (
    Array,
    Comparison,
    Interval,
    Row,
    compare,
    excess_table,
    growth_of,
    select,
    summarise,
)

METHOD, BASELINE, AVERAGED = "sensitivity", "mse", "sensitivity_mean"
PAPER = 0.917
"""Normalised reduction at p = 4 that the paper reports."""
GROUP = ("experiment", "variant", "round", "p", "recorded_s", "structure", "hidden", "plant")
"""What drives have in common that are compared with one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim of the paper, and whether it held here."""

    text: str
    holds: bool
    evidence: str


def table(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return a line a weighting of each group of drives: excess, failures, RMSE, prediction errors, reduction.

    ``mean`` and ``rmse_mm``, a median, are of completed drives alone.
    """
    lines = []
    for key, group in groups(rows):
        baseline = select(group, weighting=BASELINE)
        for name in dict.fromkeys(row["weighting"] for row in group):
            own = select(group, weighting=name)
            line = dict(zip(GROUP, key, strict=True)) | {"weighting": name, "seeds": len({row["seed"] for row in own})}
            line |= summarise(excess_table(own))
            for column in ("rmse_mm", "error_one_step", "error_last_step", "cost_of_errors"):
                line[column] = _median([row[column] for row in own])
            if baseline and name != BASELINE:
                found = compare(excess_table(own), excess_table(baseline))
                line |= {f"reduction_{k}": v for k, v in asdict(found.reduction).items()}
                line |= {f"paired_{k}": v for k, v in asdict(found.paired).items()}
                line |= {"p_value": found.p_value, "worse_failures": found.worse_failures}
            lines.append(line)
    return lines


def groups(rows: Sequence[Row]) -> Iterator[tuple[tuple[Any, ...], list[Row]]]:
    """Yield the drives that are compared with one another."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in GROUP), []).append(row)
    yield from found.items()


def stated(study: StudyConfig, rows: Sequence[Row], **changes: Any) -> list[Row]:
    """Return drives, or lines of the table, of the setting stated beforehand: last round, ``p_compared``, its plant."""
    wanted = {"experiment": "main", "round": study.rounds - 1, "p": study.p_compared, "plant": study.plant_name}
    return select(rows, **(wanted | changes))


def against(rows: Sequence[Row], own: str, other: str) -> Comparison:
    """Compare two weightings on some drives."""
    return compare(excess_table(select(rows, weighting=own)), excess_table(select(rows, weighting=other)))


def claims(study: StudyConfig, rows: Sequence[Row]) -> list[Claim]:
    """Test the paper's claims in the stated setting."""
    drives = stated(study, rows)
    found = []
    for other in ("mse", "variance", AVERAGED):
        if {METHOD, other} <= set(study.weightings):
            result = against(drives, METHOD, other)
            found.append(
                Claim(
                    text=f"`{METHOD}` costs less than `{other}` at p = {study.p_compared}",
                    holds=result.paired.low > 0.0,
                    evidence=f"reduction drive by drive {percent(result.paired)}, better in {result.better} of "
                    f"{result.pairs}, signed-rank test over the {result.seeds} seeds p = {result.p_value:.2g}; of the "
                    f"medians {percent(result.reduction)}",
                )
            )
    if METHOD in study.weightings:
        found += _claims_of_method(study, rows)
    return found


def _claims_of_method(study: StudyConfig, rows: Sequence[Row]) -> Iterator[Claim]:
    found = against(stated(study, rows), METHOD, BASELINE).reduction
    contained, narrow = found.low <= PAPER <= found.high, found.high - found.low <= 0.5 * PAPER
    yield Claim(
        text=f"the normalised reduction at p = {study.p_compared} is compatible with the paper's {PAPER:.1%}",
        holds=contained and narrow,
        evidence=f"{percent(found)} here" + (", an interval too wide to tell" if contained and not narrow else ""),
    )
    first, compared = min(study.p), study.p_compared
    if first < compared:
        growth = growth_of(_excess_of_both(study, rows, compared), _excess_of_both(study, rows, first))
        by_p = {p: against(stated(study, rows, p=p), METHOD, BASELINE).paired for p in sorted(study.p)}
        yield Claim(
            text=f"gains grow with the length of the rollouts, from p = {first} to {compared}",
            holds=growth.low > 0.0,
            evidence=f"the reduction drive by drive grows by {percent(growth)} of the excess with {BASELINE}; "
            + "; ".join(f"p = {p}: {percent(each)}" for p, each in by_p.items()),
        )
    failed = sum(against(each, METHOD, BASELINE).worse_failures for _, each in groups(select(rows, experiment="main")))
    yield Claim(
        text=f"on no reference does `{METHOD}` fail where `{BASELINE}` does not",
        holds=failed == 0,
        evidence=f"{failed} such drives of {len(select(rows, experiment='main', weighting=METHOD))}",
    )


def _excess_of_both(study: StudyConfig, rows: Sequence[Row], p: int) -> tuple[Array, Array]:
    drives = stated(study, rows, p=p)
    own, other = (excess_table(select(drives, weighting=name)) for name in (METHOD, BASELINE))
    return own, other


def variants(study: StudyConfig, rows: Sequence[Row]) -> dict[str, Comparison]:
    """Compare each variant with the one that it names, or the first one, on the validation references."""

    def excess(variant: Variant) -> Array:
        return excess_table(select(rows, experiment="variants", variant=variant.name, weighting=variant.weighting))

    known = {variant.name: variant for variant in study.variants}
    others = {variant.name: variant.against or study.variants[0].name for variant in study.variants}
    return {name: compare(excess(known[name]), excess(known[other])) for name, other in others.items() if name != other}


def summary(study: StudyConfig, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the figures others may want to read: ``normalised_reduction.<weighting>.<p>`` and the claims."""
    reductions: dict[str, dict[str, Any]] = {}
    for name in study.weightings:
        for p in study.p if name != BASELINE else ():
            result = against(stated(study, rows, p=p), name, BASELINE)
            reductions.setdefault(name, {})[str(p)] = {
                "median": result.reduction.value,
                "low": result.reduction.low,
                "high": result.reduction.high,
                "paired": asdict(result.paired),
                "seeds": len(study.seeds),
            }
    return {
        "normalised_reduction": reductions,
        "claims": [asdict(claim) for claim in claims(study, rows)],
        "variants": {name: asdict(found) for name, found in variants(study, rows).items()},
        "drives": len(rows),
        "failures": sum(not row["completed"] for row in rows),
    }


def _median(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else float("nan")


def percent(interval: Interval) -> str:
    """Return a reduction with its interval in words."""
    return f"{share(interval.value)} ({share(interval.low)} to {share(interval.high)})"


def share(reduction: float) -> str:
    """Return a reduction in words: ``failure`` where it is minus infinity, a dash where there is none."""
    if math.isfinite(reduction):
        return f"{reduction:.0%}"
    return "–" if math.isnan(reduction) else ("failure" if reduction < 0.0 else "without bound")
