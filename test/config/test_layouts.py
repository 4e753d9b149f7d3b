"""The layouts for RViz, Foxglove and PlotJuggler show topics that exist."""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ttdm_ros import topics
from ttdm_ros.paths import share_folder

CONFIG = share_folder() / "config"
MARKERS = "mpc_controller/markers"
KNOWN = {
    "/" + value.lstrip("/") for name, value in vars(topics).items() if name.isupper() and isinstance(value, str)
} | {"/" + MARKERS}


def topic_of(path: str) -> str:
    """Return the known topic that a message path begins with, or the path itself."""
    return next((t for t in sorted(KNOWN, key=len, reverse=True) if re.match(re.escape(t) + r"([./\[]|$)", path)), path)


def strings(data: Any) -> Iterator[str]:
    match data:
        case str():
            yield data
        case dict():
            for item in data.items():
                yield from strings(list(item))
        case list():
            for item in data:
                yield from strings(item)


def panels(layout: Any) -> Iterator[str]:
    if isinstance(layout, str):
        yield layout
    else:
        yield from panels(layout["first"])
        yield from panels(layout["second"])


@pytest.fixture(scope="module")
def foxglove() -> dict[str, Any]:
    return json.loads((CONFIG / "foxglove" / "ttdm.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def plotjuggler() -> ElementTree.Element:
    return ElementTree.parse(CONFIG / "plotjuggler" / "ttdm.xml").getroot()


def test_foxglove_shows_known_topics_only(foxglove: dict[str, Any]) -> None:
    paths = {text for text in strings(foxglove["configById"]) if re.match(r"/[a-z]", text)}
    assert {topic_of(path) for path in paths} <= KNOWN
    assert {"/" + topics.COMMANDS, "/" + topics.TIMING, "/" + topics.STATUS} <= {topic_of(path) for path in paths}


def test_foxglove_places_every_panel_once(foxglove: dict[str, Any]) -> None:
    assert sorted(panels(foxglove["layout"])) == sorted(foxglove["configById"])


def test_plotjuggler_shows_known_topics_and_equations_of_its_own(plotjuggler: ElementTree.Element) -> None:
    equations = {snippet.get("name") for snippet in plotjuggler.iter("snippet")}
    curves = {curve.get("name") for curve in plotjuggler.iter("curve")} - equations
    sources = {element.text for snippet in plotjuggler.iter("snippet") for element in snippet.iter() if element.text}
    curves |= {text for text in sources if text.startswith("/")}
    assert {topic_of(path) for path in curves} <= KNOWN
    assert {"/" + topics.JOINT_STATES, "/" + topics.REFERENCE} <= {topic_of(path) for path in curves}


def test_plotjuggler_subscribes_to_what_it_shows(plotjuggler: ElementTree.Element) -> None:
    subscribed = {topic.get("name") for topic in plotjuggler.iter("topic")}
    equations = {snippet.get("name") for snippet in plotjuggler.iter("snippet")}
    shown = {topic_of(curve.get("name")) for curve in plotjuggler.iter("curve") if curve.get("name") not in equations}
    assert shown <= subscribed <= KNOWN


@pytest.mark.parametrize("column", ["solve_us", "tick_us", "period_us", "missed"])
def test_times_are_taken_from_the_right_column(foxglove: dict[str, Any], column: str) -> None:
    label = column.removesuffix("_us")
    shown = [path for panel in foxglove["configById"].values() for path in panel.get("paths", [])]
    path = next(path["value"] for path in shown if path["label"] == label)
    assert path == f"/{topics.TIMING}.data[{topics.TIMING_COLUMNS.index(column)}]"


def test_rviz_subscribes_to_relative_topics_so_that_a_namespace_works() -> None:
    text = (CONFIG / "rviz" / "mpc.rviz").read_text(encoding="utf-8")
    displays = yaml.safe_load(text)["Visualization Manager"]["Displays"]
    found = {
        display[key]["Value"]: display["Class"]
        for display in displays
        for key in ("Topic", "Description Topic")
        if key in display
    }
    assert found == {
        topics.ROBOT_DESCRIPTION: "rviz_default_plugins/RobotModel",
        MARKERS: "rviz_default_plugins/MarkerArray",
    }


def test_every_layout_file_is_read_by_a_test() -> None:
    shipped = {path.name for folder in ("rviz", "foxglove", "plotjuggler") for path in Path(CONFIG / folder).iterdir()}
    assert shipped == {"mpc.rviz", "ttdm.json", "ttdm.xml"}
