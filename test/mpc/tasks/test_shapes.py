"""Plane curves: sizes in closed form, tangent and curvature against differences."""

import numpy as np
import pytest

from ttdm_ros.mpc.tasks.shapes import Circle, Rectangle

CURVES = [Circle(0.1, 0.7), Rectangle(0.4, 0.3, 0.05), Rectangle(0.2, 0.3, 0.02)]


@pytest.mark.parametrize("curve", CURVES)
def test_tangent_and_curvature_are_derivatives_by_arc_length(curve):
    arc, h = np.linspace(0.0, 2.0 * curve.length, 1001) + 1.234e-4, 1e-6
    before, here, after = curve.at(arc - h), curve.at(arc), curve.at(arc + h)
    np.testing.assert_allclose(here.tangent, (after.position - before.position) / (2 * h), atol=1e-8)
    np.testing.assert_allclose(here.curvature, (after.tangent - before.tangent) / (2 * h), atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(here.tangent, axis=1), 1.0, atol=1e-14)


@pytest.mark.parametrize("curve", CURVES)
def test_a_lap_ends_where_it_began(curve):
    start, end = curve.at(np.array([0.0])), curve.at(np.array([curve.length - 1e-12]))
    np.testing.assert_allclose(end.position, start.position, atol=1e-11)
    np.testing.assert_allclose(end.tangent, start.tangent, atol=1e-9)
    np.testing.assert_allclose(end.curvature, start.curvature, atol=1e-6)


def test_a_circle_keeps_its_radius_and_starts_at_its_angle():
    points = Circle(0.1, np.pi / 2).at(np.linspace(0.0, 1.0, 200)).position
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 0.1, atol=1e-15)
    np.testing.assert_allclose(points[0], [0.0, 0.1], atol=1e-16)


def test_a_rectangle_has_its_sides_and_centre():
    rectangle = Rectangle(0.4, 0.3, 0.05)
    points = rectangle.at(np.linspace(0.0, rectangle.length, 20001)).position
    np.testing.assert_allclose(points.max(0), [0.2, 0.15], atol=1e-12)
    np.testing.assert_allclose(points.min(0), [-0.2, -0.15], atol=1e-12)
    np.testing.assert_allclose(points[0], [0.0, -0.15], atol=1e-15)


def test_a_rectangle_bends_most_at_its_corner_radius_and_never_jumps():
    rectangle = Rectangle(0.4, 0.3, 0.05)
    arc = np.linspace(0.0, rectangle.length, 20001)
    bend = np.linalg.norm(rectangle.at(arc).curvature, axis=1)
    assert 1.0 / bend.max() == pytest.approx(0.05, rel=1e-3)
    # A linear rise from 0 to 20 1/m over the half corner of pi/2 * 0.05 m.
    steepest = np.abs(np.diff(bend)).max() / (arc[1] - arc[0])
    assert steepest == pytest.approx(20.0 / (0.5 * np.pi * 0.05), rel=1e-3)


def test_a_rectangle_is_as_long_as_its_polygon():
    rectangle = Rectangle(0.4, 0.3, 0.05)
    points = rectangle.at(np.linspace(0.0, rectangle.length, 100001)).position
    assert np.linalg.norm(np.diff(points, axis=0), axis=1).sum() == pytest.approx(rectangle.length, rel=1e-8)
