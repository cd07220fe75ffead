"""Links from a figure of a table to the items behind it, in the item browser of the HTML page.

What items are looked for goes in, the query of a link comes out; `render/items.js` reads it. Forms without a browser
show the figures alone.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple
from urllib.parse import quote, urlencode

# What became of an item with a system: "given" is any prediction, "wrong" also one that could not be read.
State = Literal["right", "wrong", "given", "answered", "unparsed", "error"]


class Link(NamedTuple):
    """A figure in a cell, as it is written there, and the query of the items that it counts."""

    text: str
    query: str


def items_query(
    *,
    states: Mapping[str, str] | None = None,
    causes: Mapping[str, str] | None = None,
    key: int | None = None,
    tag: str | None = None,
    item: str | None = None,
) -> str:
    """Write the query of the items that meet all conditions.

    Args:
        states: By the system's name a `State`, or `chosen(place)`.
        causes: By the system's name the name of a cause.
        key: 0-based place of the right choice.
        tag: A tag that the items carry.
        item: The id of the one item to open.
    """
    pairs = [(f"is.{system}", state) for system, state in (states or {}).items()]
    pairs += [(f"why.{system}", cause) for system, cause in (causes or {}).items()]
    pairs += [(name, str(value)) for name, value in (("key", key), ("tag", tag), ("item", item)) if value is not None]
    return urlencode(pairs, quote_via=quote)


def chosen(place: int) -> str:
    """Return the state of a system that chose one choice, by its 0-based place."""
    return f"chose-{place}"


def linked_parts(cell: str, links: tuple[Link, ...]) -> Iterator[tuple[str, str]]:
    """Yield a cell in parts (text, query); the query is "" for a part that is no link. Links stand in their order."""
    start = 0
    for link in links:
        at = cell.find(link.text, start)
        if at < 0:
            raise ValueError(f"no '{link.text}' behind place {start} of the cell '{cell}'")
        if at > start:
            yield cell[start:at], ""
        yield link.text, link.query
        start = at + len(link.text)
    if start < len(cell):
        yield cell[start:], ""
