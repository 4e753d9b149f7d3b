"""Reading YAML: the one loader of this package."""

from typing import Any

import yaml

# libyaml where PyYAML was built with it, some six times faster: while a bundle is read the GIL is held, and the control
# thread waits for it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str) -> Any:
    """Return the plain data of a YAML text.

    Raises:
        yaml.YAMLError: it is not valid YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError:
        return yaml.safe_load(text)  # slow, but it names the line and the cause better
