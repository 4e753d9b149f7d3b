"""Counting missed messages."""

import numpy as np
import pytest

from ttdm_ros.recording.sequence import SequenceCounter, count_missing

A, B = b"a", b"b"


def test_a_gap_counts_and_the_start_does_not():
    counter = SequenceCounter()
    assert all(counter.is_new(A, number) for number in (100, 101, 105))
    assert counter.missed == 3


def test_publishers_are_counted_apart():
    counter = SequenceCounter()
    for a, b in zip(range(1, 50), range(1000, 1049), strict=True):
        assert counter.is_new(A, a)
        assert counter.is_new(B, b)
    assert counter.missed == 0


def test_a_late_message_is_no_longer_missed_and_a_repeat_is_no_new_one():
    counter = SequenceCounter()
    assert [counter.is_new(A, n) for n in (1, 4, 3, 3, 4, 1)] == [True, True, True, False, False, False]
    assert counter.missed == 1


def test_latched_messages_older_than_the_first_are_new_once():
    counter = SequenceCounter()
    assert [counter.is_new(A, n) for n in (5, 1, 2, 1, 6)] == [True, True, True, False, True]
    assert counter.missed == 0


def test_a_huge_gap_is_counted_exactly():
    counter = SequenceCounter()
    counter.is_new(A, 1)
    counter.is_new(A, 10_000_000)
    counter.is_new(A, 10_000_005)
    assert counter.missed == 9_999_998 + 4


def test_random_losses_and_reordering_are_counted():
    random = np.random.default_rng(0)
    arrived = [n for n in range(1, 5000) if random.random() > 0.1 or n in (1, 4999)]
    order = sorted(arrived, key=lambda n: n + (random.random() * 20 if n > 1 else 0))
    counter = SequenceCounter()
    assert all(counter.is_new(A, n) for n in order)
    assert counter.missed == 4999 - len(arrived)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([1, 2, 3], 0), ([1, 5, 6], 3), ([0, 0, 0], None), ([5, 6, 1, 2], None), ([7], 0), ([0], None), ([], None)],
)
def test_a_series_of_numbers_tells_what_is_absent_unless_it_cannot(numbers, expected):
    assert count_missing(np.array(numbers)) == expected
