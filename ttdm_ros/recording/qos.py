"""Quality of service as bags keep it, and which one a subscription must ask for to hear every publisher."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ttdm_ros.yaml_text import read_yaml

INFINITE_NS = 2**63 - 1

# The numbers of rmw/types.h, which bags before version 9 hold in place of names.
_POLICIES: dict[str, dict[int, str]] = {
    "history": {0: "system_default", 1: "keep_last", 2: "keep_all", 3: "unknown"},
    "reliability": {0: "system_default", 1: "reliable", 2: "best_effort", 3: "unknown", 4: "best_available"},
    "durability": {0: "system_default", 1: "transient_local", 2: "volatile", 3: "unknown", 4: "best_available"},
    "liveliness": {0: "system_default", 1: "automatic", 3: "manual_by_topic", 4: "unknown", 5: "best_available"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Qos:
    """One offered profile; policies carry the names of rosbag2's metadata version 9, durations are in [ns]."""

    reliability: str = "reliable"
    durability: str = "volatile"
    history: str = "keep_last"
    depth: int = 10
    deadline_ns: int = INFINITE_NS
    lifespan_ns: int = INFINITE_NS
    liveliness: str = "automatic"
    liveliness_lease_ns: int = INFINITE_NS

    @property
    def latched(self) -> bool:
        """Whether a late subscriber still gets the last message."""
        return self.durability == "transient_local"

    def as_metadata(self) -> dict[str, Any]:
        """Return the mapping that rosbag2 writes under ``offered_qos_profiles``."""
        return {
            "history": self.history,
            "depth": self.depth,
            "reliability": self.reliability,
            "durability": self.durability,
            "deadline": _split(self.deadline_ns),
            "lifespan": _split(self.lifespan_ns),
            "liveliness": self.liveliness,
            "liveliness_lease_duration": _split(self.liveliness_lease_ns),
            "avoid_ros_namespace_conventions": False,
        }


def to_yaml(profiles: Iterable[Qos]) -> str:
    """Return the YAML text that an MCAP channel keeps under ``offered_qos_profiles``."""
    items = [profile.as_metadata() for profile in profiles]
    return yaml.safe_dump(items, sort_keys=False).strip() if items else ""


def from_yaml(profiles: str | Sequence[Mapping[str, Any]]) -> tuple[Qos, ...]:
    """Read the profiles of a channel or of metadata.yaml, of any version (policies as names or as numbers).

    Empty if they cannot be read: the messages of a bag are worth more than what is said of their transport.
    """
    try:
        items = read_yaml(profiles) if isinstance(profiles, str) else profiles
        return tuple(
            Qos(
                **{key: _policy(key, item[key]) for key in _POLICIES},
                depth=int(item["depth"]),
                deadline_ns=_join(item["deadline"]),
                lifespan_ns=_join(item["lifespan"]),
                liveliness_lease_ns=_join(item["liveliness_lease_duration"]),
            )
            for item in items or ()
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        return ()


def request_for(offers: Sequence[Qos]) -> tuple[str, str]:
    """Return the strongest (reliability, durability) that is compatible with every publisher in ``offers``."""
    reliable = all(offer.reliability == "reliable" for offer in offers)
    latched = all(offer.latched for offer in offers)
    return "reliable" if reliable else "best_effort", "transient_local" if latched else "volatile"


def hears(reliability: str, durability: str, offer: Qos) -> bool:
    """Whether a subscription with these policies gets the messages of a publisher that offers ``offer``."""
    return (reliability != "reliable" or offer.reliability == "reliable") and (
        durability != "transient_local" or offer.latched
    )


def _policy(kind: str, value: str | int) -> str:
    return _POLICIES[kind].get(value, "unknown") if isinstance(value, int) else value.lower()


def _split(duration_ns: int) -> dict[str, int]:
    return {"sec": duration_ns // 10**9, "nsec": duration_ns % 10**9}


def _join(duration: Mapping[str, int]) -> int:
    return min(int(duration["sec"]) * 10**9 + int(duration["nsec"]), INFINITE_NS)
