"""The rule by which a cascade passes items on, as a suite states it.

A mapping of one rule in, the checked rule out; `eval.measures.cascade_thresholds` chooses the thresholds by it.
"""

from typing import Self

from pydantic import Field, model_validator

from data.types import Frozen


class DeferSpec(Frozen):
    """By which of these rules a cascade passes items on: exactly one.

    Attributes:
        accuracy: What is answered before the last system is right at least so often, with 95 % confidence.
        cost: US dollars that a query may cost in the mean, of two systems.
        share: At most this share of the items that reach a system is passed on.
        threshold: An answer stands where its probability is at least this.
    """

    accuracy: float | None = Field(default=None, gt=0, lt=1)
    cost: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    share: float | None = Field(default=None, ge=0, le=1)
    threshold: float | None = Field(default=None, ge=0, le=1)

    @property
    def rule(self) -> dict[str, float]:
        """The rule by its name."""
        return {name: value for name, value in self if value is not None}

    @model_validator(mode="after")
    def _is_one_rule(self) -> Self:
        if len(self.rule) != 1:
            names = ", ".join(type(self).model_fields)
            raise ValueError(f"defer takes exactly one of {names}, not {len(self.rule)}")
        return self
