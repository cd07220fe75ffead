"""The values that a suite or the command line gives: one field for each row of `eval.plan.settings.options`.

A system is exactly one of `baseline`, `chain`, `checkpoint` (an encoder trained before), `finetune` (one that is
trained as part of the run) or `cascade` (other systems, asked one after another). Whether the names exist is checked
when the systems are built, before anything is written.
"""

import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from chains.registry import Rung
from data.types import Frozen
from eval.plan.defer import DeferSpec
from eval.plan.examples_spec import ExamplesSpec, spelt_examples
from eval.plan.matrix import written_out
from eval.plan.settings.options import Answering, Permute, TooLong
from eval.rundir.description import TRAINED_KINDS, Crossed
from eval.rundir.names import PlainName, SystemName, check_folders

KINDS = ("baseline", "chain", "checkpoint", "finetune", "cascade")


class SystemSpec(Frozen):
    """A system as a suite names it: `eval.plan.settings.options.SYSTEM` says what each setting does.

    Attributes:
        request: See `chains.models.request_fields`: {seed: "-"} leaves a field out, {max_completion_tokens: 64} takes
            the place of max_tokens.
        user_words: As `retrievers.korean` reads it; a path is from where the command runs, like that of `data`.
        finetune: Settings of `finetune.config.TrainSettings`, such as {model: minilm, epochs: 3}.
        unlabelled: A path from where the command runs, like that of `data`.
        any_label_order: The report says so all the same. It decides no answer, so no manifest holds it, and a run that
            it stopped can go on with it.
        runnable: The name of an object that a script gives, see `eval.api.evaluate`; no file can name one.
    """

    name: SystemName
    baseline: str | None = None
    chain: str | None = None
    checkpoint: str | None = None
    finetune: dict[str, Any] | None = None
    labels_from: SystemName | None = Field(default=None, exclude_if=lambda name: name is None)
    unlabelled: Path | None = Field(default=None, exclude_if=lambda path: path is None)
    any_label_order: bool = Field(default=False, exclude=True)
    model: str | None = None
    prompt: str | None = None
    answering: Answering = "auto"
    too_long: TooLong = "error"
    permute: Permute | None = None
    votes: int | None = Field(default=None, ge=2)
    temperature: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    max_tokens: int | None = Field(default=None, gt=0)
    request: dict[str, Any] = Field(default_factory=dict, exclude_if=lambda fields: not fields)
    # Left out where there are none, so that a run from before there were these settings can still be resumed.
    examples: Annotated[ExamplesSpec | None, BeforeValidator(spelt_examples)] = Field(
        default=None, exclude_if=lambda examples: examples is None
    )
    candidates: int | None = Field(default=None, ge=2, exclude_if=lambda n: n is None)
    retriever: str | None = None
    embeddings: str | None = None
    k: int = Field(default=4, ge=1)
    # Left out where there are none, so that a run from before there was this setting can still be resumed.
    user_words: Path | None = Field(default=None, exclude_if=lambda path: path is None)
    cascade: tuple[SystemName, ...] | None = Field(
        default=None, min_length=2, exclude_if=lambda members: members is None
    )
    defer: DeferSpec | None = Field(default=None, exclude_if=lambda defer: defer is None)
    limit: int | None = Field(default=None, ge=1, exclude_if=lambda limit: limit is None)
    rung: Rung | None = Field(default=None, exclude_if=lambda rung: rung is None)
    note: str = ""
    runnable: str | None = Field(default=None, exclude_if=lambda name: name is None)

    @property
    def kind(self) -> str:
        return self._kinds()[0]

    def _kinds(self) -> list[str]:
        return [kind for kind in (*KINDS, "runnable") if getattr(self, kind) is not None]

    @field_validator("request")
    @classmethod
    def _are_fields(cls, fields: dict[str, Any]) -> dict[str, Any]:
        from chains.models.request_fields import check_fields

        return check_fields(fields)

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        given = self._kinds()
        if len(given) != 1:
            raise ValueError(f"system '{self.name}' needs exactly one of {', '.join(KINDS)}, not {len(given)}")
        if self.any_label_order and given[0] not in TRAINED_KINDS:
            raise ValueError(
                f"system '{self.name}': any_label_order goes with a checkpoint or finetune, not a {given[0]}"
            )
        self._check_trials()
        self._check_cascade()
        self._check_student()
        if self.candidates is not None and self.examples is None:
            raise ValueError(f"system '{self.name}': candidates are the labels of examples; give --examples too")
        elsewhere = self.model_fields_set - {"name", "note", "limit", "any_label_order", *given}
        if self.baseline == "nearest":
            elsewhere -= {"embeddings"}
        if self.cascade is not None:
            elsewhere -= {"defer"}
        if self.finetune is not None:
            elsewhere -= {"labels_from", "unlabelled"}
        if self.chain is None and (set_fields := sorted(f for f in elsewhere if getattr(self, f) is not None)):
            raise ValueError(f"system '{self.name}': {set_fields[0]} goes with a chain, not with a {given[0]}")
        return self

    def _check_cascade(self) -> None:
        if self.cascade is not None and self.defer is None:
            raise ValueError(
                f"system '{self.name}': a cascade needs a rule to pass items on by, such as defer: {{accuracy: 0.95}}"
            )
        if self.cascade is None and self.defer is not None:
            raise ValueError(f"system '{self.name}': defer goes with a cascade, not with a {self.kind}")
        if self.defer is not None and self.defer.cost is not None and len(self.cascade or ()) > 2:
            raise ValueError(f"system '{self.name}': defer: cost is shared out between two systems, not among more")

    def _check_student(self) -> None:
        if self.labels_from is not None and self.finetune is None:
            raise ValueError(f"system '{self.name}': labels_from goes with finetune, not with a {self.kind}")
        if self.unlabelled is not None and self.labels_from is None:
            raise ValueError(
                f"system '{self.name}': unlabelled texts need a system to label them, as labels_from: NAME"
            )

    def _check_trials(self) -> None:
        if self.permute and self.chain is None:
            raise ValueError(
                f"system '{self.name}': permute goes with a chain; a {self.kind} is shown no order of the choices"
            )
        if self.permute and self.votes:
            raise ValueError(f"system '{self.name}': permute and votes both ask an item several times; choose one")
        if self.request and self.model is None and self.chain is not None:
            raise ValueError(f"system '{self.name}': request goes with a model; chain '{self.chain}' is given none")
        if self.votes and self.request.get("temperature", self.temperature) == 0:
            raise ValueError(
                f"system '{self.name}': votes {self.votes} at temperature 0 are {self.votes} times the same reply; "
                "give a temperature above 0, such as 0.7"
            )
        if self.votes and self.answering not in ("auto", "generate", "structured"):
            raise ValueError(
                f"system '{self.name}': votes are over replies, and answering '{self.answering}' samples none; "
                "use answering generate"
            )


class EvaluationSpec(Frozen):
    """One benchmark's items and the systems that answer them; `eval.plan.settings.options.ITEMS` says what each is."""

    benchmark: str
    split: str | None = None
    data: Path | None = None
    # Left out where it is not set, so that a run from before there was this setting can still be resumed.
    skip_bad_rows: bool = Field(default=False, exclude_if=operator.not_)
    limit: int | None = Field(default=None, ge=1)
    train_split: str | None = None
    # Of a labelled file: `data.card_options.TASK`, and the other fields of `data.card.TaskCard`.
    card: dict[str, Any] = Field(default_factory=dict, exclude_if=operator.not_)
    systems: tuple[SystemSpec, ...] = Field(min_length=1)
    # Made of the entries that have a matrix; the manifest keeps it with the evaluation, and the systems written out.
    crossed: Crossed = Field(default_factory=dict, exclude=True)

    @model_validator(mode="before")
    @classmethod
    def _write_matrices_out(cls, content: object) -> object:
        if not isinstance(content, Mapping) or not isinstance(entries := content.get("systems"), list | tuple):
            return content
        systems, crossed = written_out(entries)
        return {**content, "systems": systems, **({"crossed": crossed} if crossed else {})}


class Suite(Frozen):
    """A whole run as it was asked for: `eval.plan.settings.options.VERDICT` says what its verdict depends on."""

    name: PlainName
    seed: int = 0
    # Left out where they are not set, so that a run from before there were these settings can still be resumed.
    margin: float | None = Field(default=None, ge=0, le=100, exclude_if=lambda margin: margin is None)
    queries: float | None = Field(default=None, ge=0, allow_inf_nan=False, exclude_if=lambda queries: queries is None)
    until_decided: bool = Field(default=False, exclude_if=operator.not_)
    evaluations: tuple[EvaluationSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _system_names_are_unique(self) -> Self:
        check_folders([system.name for evaluation in self.evaluations for system in evaluation.systems])
        return self
