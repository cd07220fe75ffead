"""A plan finds what would go wrong before anything is written or asked."""

from pathlib import Path

import pytest

from data.common.errors import ConfigurationError
from data.types import Item
from eval.api import evaluate

SECRET = "correct-horse-battery"


def test_an_id_that_holds_a_secret_is_refused_before_anything_is_paid_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record would be written with the secret struck out, found under no item's id, and asked again."""
    monkeypatch.setenv("MY_OWN_API_KEY", SECRET)
    items = [
        Item(id=name, inputs={"text": "a"}, choices=("x", "y"), target=0, group=name)
        for name in ("plain", f"a-{SECRET}")
    ]
    asked: list[object] = []
    with pytest.raises(ConfigurationError, match=r"'a-\[redacted\]' has a key or a password in its id") as refused:
        evaluate(items, {"mine": lambda entry: asked.append(entry) or 0}, out=tmp_path / "run")
    assert SECRET not in str(refused.value) and not asked and not (tmp_path / "run").exists()
