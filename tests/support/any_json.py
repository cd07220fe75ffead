"""What somebody else may put into a file or a reply, for Hypothesis: any Unicode, any number and any nesting."""

import math
from typing import Any

from hypothesis import strategies as st

# Any character, and more often those that break something: halves of characters, NUL, quotes, what leads elsewhere.
TEXTS = st.text(st.one_of(st.characters(exclude_categories=()), st.sampled_from('\ud800\udfff\x00"\\/.\n\u202e{}')))
NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([10**30, 10**400, -1, 1e308, -0.0, math.nan, math.inf, 2**63])
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)


def nested(depth: int) -> Any:
    """Return a list in a list, and so on."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


VALUES = st.one_of(
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=8,
    ),
    st.integers(0, 600).map(nested),
)


@st.composite
def with_something_else(draw: st.DrawFn, content: Any) -> Any:
    """Return a copy of a JSON value in which one value, somewhere, is another one, or gone."""
    if not isinstance(content, dict | list) or not content or draw(st.integers(0, 5)) == 0:
        return draw(VALUES)
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))
    key = draw(st.sampled_from(keys))
    copy = dict(content) if isinstance(content, dict) else list(content)
    if draw(st.integers(0, 9)) == 0:
        del copy[key]
    else:
        copy[key] = draw(with_something_else(content[key]))
    return copy
