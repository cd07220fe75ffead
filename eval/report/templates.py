"""The one Jinja environment of all drawings and pages: it escapes everything, and refuses what it is not given.

A template's name in, the template out: of the pages in `render`, of the drawings in `sections`.
"""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from data.common.text import plain

if TYPE_CHECKING:
    from jinja2 import Environment, Template

HERE = Path(__file__).parent


def template(name: str) -> "Template":
    """Return a template by the name of its file."""
    return _environment().get_template(name)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader([HERE / "render", HERE / "sections"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: plain(value) if type(value) is str else value,
    )
