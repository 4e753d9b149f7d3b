"""Pages from templates: what every report has in common."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ttdm_ros import __version__


def render_page(template: str, **values: Any) -> str:
    """Return a page of ``templates/``; its frame, ``page.html``, needs ``title`` and ``about`` (names and values)."""
    environment = Environment(
        loader=PackageLoader("ttdm_ros.evaluation"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(template).render(version=__version__, **values)
