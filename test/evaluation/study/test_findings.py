"""Claims, table, summary and page, of drives whose excess is known."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ttdm_ros.evaluation.drawing import Canvas
from ttdm_ros.evaluation.study import report
from ttdm_ros.evaluation.study.config import StudyConfig
from ttdm_ros.evaluation.study.findings import claims, summary, table, variants
from ttdm_ros.evaluation.study.folder import StudyFolder

Rows = list[dict[str, Any]]


def test_claims_that_hold_are_told_with_their_figures(study: StudyConfig, rows: Rows) -> None:
    found = {claim.text: claim for claim in claims(study, rows)}
    assert [claim.holds for claim in found.values()] == [True, True, True, False, True, True]
    assert "50% (50% to 50%)" in found["`sensitivity` costs less than `mse` at p = 4"].evidence
    assert "p = 1: 20%" in next(c.evidence for text, c in found.items() if text.startswith("gains grow"))


def test_claims_that_do_not_hold_are_told_too(study: StudyConfig, rows: Rows) -> None:
    for row in rows:
        if row["weighting"] == "sensitivity_mean":
            row["excess"] = 0.3
        if row["weighting"] == "sensitivity" and row["seed"] == 1 and row["reference"] == "random 0":
            row["completed"], row["excess"] = False, None
    found = {claim.text: claim.holds for claim in claims(study, rows)}
    assert not found["`sensitivity` costs less than `sensitivity_mean` at p = 4"]
    assert not found["on no reference does `sensitivity` fail where `mse` does not"]


def test_the_summary_has_a_reduction_a_weighting_and_p(study: StudyConfig, rows: Rows) -> None:
    found = summary(study, rows)["normalised_reduction"]
    assert set(found) == {"variance", "sensitivity", "sensitivity_mean"}
    assert found["sensitivity"]["4"] == {
        "median": pytest.approx(0.5),
        "low": pytest.approx(0.5),
        "high": pytest.approx(0.5),
        "paired": {"value": pytest.approx(0.5), "low": pytest.approx(0.5), "high": pytest.approx(0.5)},
        "seeds": 3,
    }
    assert found["variance"]["4"]["median"] == pytest.approx(-0.1)


def test_the_table_has_a_line_a_weighting_of_each_group(study: StudyConfig, rows: Rows) -> None:
    lines = table(rows)
    (line,) = (
        each
        for each in lines
        if (each["experiment"], each["round"], each["p"], each["weighting"]) == ("main", 1, 4, "sensitivity")
    )
    own = [r["excess"] for r in rows if all(r[k] == line[k] for k in ("experiment", "round", "p", "weighting"))]
    assert len(own) == line["drives"] == 12
    assert line["median"] == pytest.approx(np.median(own))
    assert line["reduction_value"] == pytest.approx(0.5)
    assert line["p_value"] < 0.01


def test_a_plant_given_as_a_path_is_found_by_its_name(study: StudyConfig, rows: Rows) -> None:
    by_path = study.model_copy(update={"plant": f"/somewhere/{study.plant}.yaml"})
    assert claims(by_path, rows) == claims(study, rows)


def test_variants_are_compared_with_the_settings_as_chosen(study: StudyConfig, rows: Rows) -> None:
    for row in rows:
        if row["variant"] == "no floor":
            row["excess"] *= 1.25
    found = variants(study, rows)
    assert list(found) == ["no floor"]
    assert found["no floor"].paired.value == pytest.approx(-0.25)
    assert summary(study, rows)["variants"]["no floor"]["better"] == 0


def test_page_tables_and_figures_land_in_the_folder(
    study: StudyConfig, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(*_: object) -> Canvas:
        canvas = Canvas(4.0, 2.0, with_png=True)
        with canvas as figure:
            figure.subplots(1, 1).plot([0, 1], [0, 1])
        return canvas

    monkeypatch.setattr(report, "draw_weights", draw)  # needs recordings; see test_runner
    StudyFolder(tmp_path).note_seconds(90.0)
    page = report.write_report(study, StudyFolder(tmp_path), rows, command="ttdm study arm")
    text = page.read_text()
    assert "sensitivity costs less than mse at p = 4" in text
    assert "50% (50% to 50%)" in text
    assert text.count("<svg") == 8
    assert "2 min" in text
    for name in ("reduction", "capacity", "data", "mismatch", "local", "rounds", "weights", "variants"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "runs.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    figures = json.loads((tmp_path / "summary.json").read_text())
    assert (figures["command"], figures["seconds"]) == ("ttdm study arm", 90)
    assert figures["normalised_reduction"]["sensitivity"]["4"]["median"] == pytest.approx(0.5)
