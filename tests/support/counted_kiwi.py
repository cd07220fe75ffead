"""Kiwi, with a count of what it was asked to analyse."""

from typing import Any


class Counted:
    """A Kiwi that keeps the texts it was given."""

    def __init__(self, kiwi: Any, seen: list[str]) -> None:
        self._kiwi, self._seen = kiwi, seen

    def __getattr__(self, name: str) -> Any:
        def counted(texts: Any, *rest: Any, **options: Any) -> Any:
            self._seen.extend(texts)
            return getattr(self._kiwi, name)(texts, *rest, **options)

        return counted
