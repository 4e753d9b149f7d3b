"""Where a simulated robot listens."""

import ipaddress
import socket

from ttdm_ros.evaluation.franka_session import free_address


def test_an_address_is_of_this_machine_alone_and_not_that_of_another_robot() -> None:
    first = free_address()
    assert ipaddress.ip_address(first).is_loopback
    with socket.create_server((first, 1337)):
        second = free_address()
    assert second != first
    assert ipaddress.ip_address(second).is_loopback
    assert free_address() == first  # the other robot has ended
