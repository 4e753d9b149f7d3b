"""A ROS domain that nothing else on this machine uses."""

import os
from pathlib import Path

from ttdm_ros.errors import TtdmError

HIGHEST = 101  # above, the ports may collide with those Linux gives to clients
_FIRST_PORT, _PORTS_A_DOMAIN = 7400, 250  # DDS: UDP ports of domain d begin at 7400 + 250 d
_UDP_TABLES = (Path("/proc/net/udp"), Path("/proc/net/udp6"))


def free_domain(tables: tuple[Path, ...] = _UDP_TABLES) -> int:
    """Return a domain from 1 to 101 of which no UDP port is bound here, and which is not the user's own.

    The search begins at a number that follows from the process id, so that two searches at once seldom meet.

    Args:
        tables: the kernel's tables of UDP sockets; those that cannot be read are taken for empty.

    Raises:
        TtdmError: every domain is in use.
    """
    taken = {(port - _FIRST_PORT) // _PORTS_A_DOMAIN for port in _bound_ports(tables)}
    taken.add(int(os.environ.get("ROS_DOMAIN_ID", "").strip() or "0"))
    for i in range(HIGHEST):
        domain = 1 + (os.getpid() + i) % HIGHEST
        if domain not in taken:
            return domain
    raise TtdmError(f"all ROS domains from 1 to {HIGHEST} are in use; end some ROS programs, or name a domain")


def _bound_ports(tables: tuple[Path, ...]) -> set[int]:
    ports = set()
    for table in tables:
        try:
            rows = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            local_address = row.split()[1]
            ports.add(int(local_address.rsplit(":", 1)[1], 16))
    return ports
