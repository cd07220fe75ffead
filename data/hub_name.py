"""The name of a data set on the Hugging Face hub, wherever a labelled file may stand: hf:ORG/NAME[:CONFIG][@REVISION].

A text in, its parts out; `#SPLIT` behind it names one split of the data set.
"""

import re
from typing import NamedTuple, Self

from data.common.errors import ConfigurationError

PREFIX = "hf:"
ONLY_CONFIG = "default"  # what the configuration of a data set that names none is called
_FORM = re.compile(
    r"hf:(?P<repository>[\w.-]+(?:/[\w.-]+)?)"
    r"(?::(?P<config>[^\s:@#]+))?"
    r"(?:@(?P<revision>[^\s:@#]+))?"
    r"(?:#(?P<split>\w+(?:\.\w+)*))?"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubName(NamedTuple):
    """A data set on the hub, or a part of it.

    Attributes:
        repository: ORG/NAME, or a name without ORG that the hub knows from former days.
        config: The configuration; None: the only one, or the data set's default.
        revision: A branch, a tag or a commit; None: the main branch.
        split: One of its splits; None: all of them.
    """

    repository: str
    config: str | None = None
    revision: str | None = None
    split: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name.

        Raises:
            ConfigurationError: It has another form.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ConfigurationError(
                f"'{text}' names no data set on the hub; write hf:ORG/NAME, and behind it what is needed of :CONFIG, "
                "@REVISION and #SPLIT, in this order"
            )
        return cls(**found.groupdict())

    def __str__(self) -> str:
        parts = (("", self.repository), (":", self.config), ("@", self.revision), ("#", self.split))
        return PREFIX + "".join(mark + part for mark, part in parts if part is not None)

    @property
    def is_pinned(self) -> bool:
        """Whether the name means the same rows for ever: its revision is a commit, and its configuration is named."""
        return self.config is not None and _COMMIT.fullmatch(self.revision or "") is not None


def is_hub_name(text: str) -> bool:
    """Say whether a text means a data set on the hub, whether its form is right or not."""
    return text.startswith(PREFIX)
