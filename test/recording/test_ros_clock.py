"""Simulated time from serialized clock messages."""

import struct

from ttdm_ros.recording.ros_clock import ClockHistory


def clock_message(seconds: int, nanoseconds: int) -> bytes:
    return b"\x00\x01\x00\x00" + struct.pack("<iI", seconds, nanoseconds)


def test_the_time_that_held_is_the_last_one_received_before():
    history = ClockHistory()
    assert not history.has_started
    history.note(1000, clock_message(5, 0))
    history.note(2000, clock_message(5, 500))
    assert history.has_started
    assert [history.at(t) for t in (0, 1000, 1999, 2000, 9999)] == [5 * 10**9] * 3 + [5 * 10**9 + 500] * 2


def test_a_long_history_keeps_the_recent_past():
    history = ClockHistory()
    for i in range(50_000):
        history.note(i * 1000, clock_message(0, i))
    assert [history.at(i * 1000) for i in (45_000, 49_000, 49_999)] == [45_000, 49_000, 49_999]
