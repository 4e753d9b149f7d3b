"""One driver for an arm on this machine."""

import fcntl
import re

from ttdm_ros.paths import cache_folder
from ttdm_ros.plants.franka.link import LinkError


class AddressLock:
    """Held until the process ends, however it ends."""

    def __init__(self, address: str) -> None:
        """Take the lock of a robot's address.

        Raises:
            LinkError: another driver of this user has it.
        """
        folder = cache_folder() / "franka"
        folder.mkdir(exist_ok=True)
        self._file = (folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', address)}.lock").open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise LinkError(
                f"another franka_driver on this machine holds the robot at {address}; end it, as a robot has one client"
            ) from None
