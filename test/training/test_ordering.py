"""Messages that came in another order than their stamps, against sorting all of them at once."""

import itertools

import numpy as np
import pytest

from ttdm_ros.training.ordering import LATEST, Ordering

SECOND = 10**9


def sorted_at_once(stamp, values):
    """By numpy; of several rows with one stamp the first that came."""
    ordered, first = np.unique(stamp, return_index=True)
    return ordered, values[first]


def in_pieces(ordering, stamp, received, values, edges):
    parts = [ordering.add(stamp[a:b], received[a:b], values[a:b]) for a, b in itertools.pairwise(edges)]
    parts.append(ordering.finish())
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


def messages(count=3000, *, latest, seed=0, offset=0):
    """A minute of messages, some late, some with the stamp of another."""
    random = np.random.default_rng(seed)
    stamp = np.sort(random.integers(0, 60 * SECOND, count))
    stamp[random.integers(1, count, count // 20)] = stamp[random.integers(1, count, count // 20)]
    stamp = np.sort(stamp)
    received = (
        stamp + offset + np.where(random.uniform(size=count) < 0.2, random.uniform(0, latest * SECOND, count), 0.0)
    )
    order = np.argsort(received, kind="stable")
    return stamp[order], received[order], random.normal(size=(count, 2))


@pytest.mark.parametrize("pieces", [1, 2, 7, 100])
@pytest.mark.parametrize("offset", [0, -7 * 3600 * SECOND])
def test_late_messages_find_their_place_whatever_the_pieces(pieces, offset):
    stamp, received, values = messages(latest=0.99 * LATEST, offset=offset)
    edges = np.linspace(0, len(stamp), pieces + 1).astype(int)
    ordering = Ordering(2)
    found = in_pieces(ordering, stamp, received, values, edges)
    for mine, expected in zip(found, sorted_at_once(stamp, values), strict=True):
        np.testing.assert_array_equal(mine, expected)
    assert ordering.late == 0
    assert not ordering.has_jumped


def test_what_is_passed_on_is_in_order_and_little_is_held_back():
    stamp, received, values = messages(latest=1.0)
    ordering, last, passed = Ordering(2), -1, 0
    for begin in range(0, len(stamp), 100):
        ready, _ = ordering.add(*(each[begin : begin + 100] for each in (stamp, received, values)))
        assert (np.diff(ready) > 0).all()
        assert not len(ready) or ready[0] > last
        last = ready[-1] if len(ready) else last
        passed += len(ready)
        newest = received[: begin + 100].max()
        assert last <= newest
        if newest > 2 * LATEST * SECOND:
            assert newest - last < (LATEST + 1.5) * SECOND


def test_a_message_that_is_too_late_is_left_out_and_counted():
    stamp = np.arange(0, 60 * SECOND, SECOND // 10)
    received, values = stamp.copy(), np.arange(len(stamp), dtype=float)[:, None]
    stamp[-1] = SECOND // 2 + 1
    ordering = Ordering(1)
    found, _ = in_pieces(ordering, stamp, received, values, range(0, len(stamp) + 1, 50))
    np.testing.assert_array_equal(found, stamp[:-1])
    assert (ordering.count, ordering.late) == (len(stamp), 1)
    assert not ordering.has_jumped


def test_one_stamp_from_the_future_holds_nothing_up():
    stamp = np.arange(0, 60 * SECOND, SECOND // 10)
    received, values = stamp.copy(), np.zeros((len(stamp), 1))
    stamp[100] = 10**18
    ordering = Ordering(1)
    found, _ = in_pieces(ordering, stamp, received, values, range(0, len(stamp) + 1, 50))
    np.testing.assert_array_equal(found, np.sort(stamp))


@pytest.mark.parametrize("piece", [50, 600])
@pytest.mark.parametrize("seconds", [3, 30])
@pytest.mark.parametrize("rate", [10, 500])
@pytest.mark.parametrize("received_too", [False, True])
def test_a_clock_that_was_set_back_is_noticed(piece, seconds, rate, received_too):
    stamp = np.arange(0, 60 * SECOND, SECOND // rate)
    received = stamp.copy()
    stamp[40 * rate :] -= seconds * SECOND
    ordering = Ordering(1)
    rows = piece * rate // 10
    came = stamp if received_too else received
    in_pieces(ordering, stamp, came, np.zeros((len(stamp), 1)), range(0, len(stamp) + 1, rows))
    assert ordering.has_jumped


def test_a_step_back_of_a_fraction_of_a_second_is_noticed():
    stamp = np.arange(0, 60 * SECOND, SECOND // 500)
    received = stamp.copy()
    stamp[10_000:] -= SECOND // 5
    ordering = Ordering(1)
    ordering.add(stamp, received, np.zeros((len(stamp), 1)))
    assert ordering.has_jumped


def test_a_clock_that_stands_or_a_few_stamps_that_are_wrong_are_no_set_back_clock():
    stamp = np.arange(0, 60 * SECOND, SECOND // 500)
    received = stamp.copy()
    stamp[5_000:6_000] = stamp[5_000]  # a simulation that was paused
    stamp[1_000:10_000:3_000] = 10**18
    stamp[20_000:20_060] = 0
    stamp[25_000:25_010] -= 4 * SECOND
    ordering = Ordering(1)
    ordering.add(stamp, received, np.zeros((len(stamp), 1)))
    assert not ordering.has_jumped
