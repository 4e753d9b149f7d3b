"""Stamps follow the robot's time, and the wall clock only where nothing depends on their differences."""

from ttdm_ros.plants.franka.robot_clock import RobotClock

WALL = 1_700_000_000.0


def test_differences_of_stamps_are_those_of_the_robot() -> None:
    clock = RobotClock()
    jitter = (0.0, 0.004, -0.001, 0.010)
    stamps = [clock.stamp_ns(5.0 + 1e-3 * k, WALL + 1e-3 * k + late, may_step=False) for k, late in enumerate(jitter)]
    first = stamps[0]
    assert first == round(WALL * 1e9)
    assert [stamp - first for stamp in stamps if stamp is not None] == [0, 1_000_000, 2_000_000, 3_000_000]


def test_a_time_that_was_stamped_already_has_no_stamp() -> None:
    clock = RobotClock()
    assert clock.stamp_ns(5.0, WALL, may_step=False) is not None
    assert clock.stamp_ns(5.0, WALL, may_step=False) is None


def test_a_robot_that_falls_behind_is_followed_only_while_nothing_depends_on_it() -> None:
    clock = RobotClock()
    first = clock.stamp_ns(5.0, WALL, may_step=True)
    assert first is not None
    assert clock.stamp_ns(5.1, WALL + 3.0, may_step=False) == first + 100_000_000
    assert clock.stamp_ns(5.2, WALL + 3.1, may_step=True) == round((WALL + 3.1) * 1e9)


def test_small_differences_to_the_wall_clock_are_left_alone() -> None:
    clock = RobotClock()
    first = clock.stamp_ns(5.0, WALL, may_step=True)
    assert first is not None
    assert clock.stamp_ns(5.1, WALL + 0.115, may_step=True) == first + 100_000_000


def test_stamps_never_go_back_when_the_robot_begins_to_count_anew() -> None:
    clock = RobotClock()
    last = clock.stamp_ns(500.0, WALL, may_step=True)
    ahead = clock.stamp_ns(500.5, WALL + 0.1, may_step=True)
    again = clock.stamp_ns(0.0, WALL + 0.2, may_step=True)
    assert last is not None
    assert ahead is not None
    assert again is not None
    assert last < ahead < again


def test_a_stamp_gives_the_robot_time_back() -> None:
    clock = RobotClock()
    stamp = clock.stamp_ns(5.25, WALL, may_step=True)
    assert stamp is not None
    assert abs(clock.robot_time(stamp + 20_000_000) - 5.27) < 1e-9


def test_stamps_that_are_ahead_of_the_wall_clock_never_go_back_and_are_told() -> None:
    clock = RobotClock()
    first = clock.stamp_ns(5.0, WALL, may_step=True)
    assert first is not None
    assert clock.notice == ""
    assert clock.stamp_ns(5.1, WALL + 0.02, may_step=True) == first + 100_000_000
    assert clock.notice == ""
    assert clock.stamp_ns(5.2, WALL - 4.8, may_step=True) == first + 200_000_000  # set back by 5 s
    assert clock.notice.startswith("stamps are 5.0 s ahead of this computer's clock")
    assert clock.stamp_ns(5.3, WALL + 5.0, may_step=True) == round((WALL + 5.0) * 1e9)
    assert clock.notice == ""
