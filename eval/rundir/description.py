"""What a manifest says of a system and of a machine: what it is, and what it ran on.

A part of a manifest in, a typed description out, and of that a role. It is the one place that knows which kinds of
system are trained; what a system's price depends on is in `priced_parts`.
"""

from collections.abc import Generator
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from data.bounds import LONGEST_S
from data.common.parsing import JsonObject

AnswerForm = Literal["number", "choice", "label"]
Role = Literal["trained", "prompted", "baseline"]
# Any other is a baseline. What is imported are texts that a model wrote, and a script's own object most often asks one.
ROLES: dict[str, Role] = {
    "checkpoint": "trained",
    "finetune": "trained",
    "chain": "prompted",
    "runnable": "prompted",
    "imported": "prompted",
}
TRAINED_KINDS = tuple(kind for kind, role in ROLES.items() if role == "trained")

# For each matrix of a suite (`eval.plan.matrix`) its systems, and of each of these the value of every setting by name.
Crossed = dict[str, dict[str, dict[str, str]]]

_Count = Annotated[int, Field(ge=0, le=10**9)]


class _Described(BaseModel):
    """A part of a manifest: what is read of it has a type here, all else is kept as it is and only compared.

    It is written as it was given: a field that nobody gave is left out, so that older manifests stay what they are.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    @model_serializer(mode="wrap")
    def _only_what_was_given(self, serialized: SerializerFunctionWrapHandler) -> JsonObject:
        return {name: value for name, value in serialized(self).items() if name in self.model_fields_set}

    def __iter__(self) -> Generator[tuple[str, Any], None, None]:
        """Yield the fields that were given, by name."""
        yield from ((name, value) for name, value in super().__iter__() if name in self.model_fields_set)

    def as_json(self) -> JsonObject:
        """Return what is written of it."""
        return self.model_dump(mode="json")


class Machine(_Described):
    """A machine, as `data.common.hardware.hardware` describes it.

    Attributes:
        cpu: The processor's name.
        cpus: Hardware threads that the process may use.
        gpus: The names of the GPUs.
    """

    cpu: str | None = None
    cpus: _Count | None = None
    gpus: list[str] | None = None

    @property
    def is_known(self) -> bool:
        """Whether anything is said of it."""
        return bool(self.model_fields_set)


class TrainingFacts(_Described):
    """How a checkpoint was trained, as far as its card says it.

    Attributes:
        wall_s: Seconds.
        hardware: The CPUs or GPUs that the training kept busy.
        n: Items that it learnt from.
        held_out: Items that were set apart to stop early by.
    """

    wall_s: float | None = Field(default=None, ge=0, le=LONGEST_S)
    hardware: Machine | None = None
    n: _Count | None = None
    held_out: _Count | None = None


class ChatModelDescription(_Described):
    """A chain's model, as `chains.models.specs.describe_model` describes it, with its spec.

    Attributes:
        spec: As the suite names it.
        base_url: Where it is asked, if that is an address of the user's choice.
        device: What it runs on, in this process; a model that runs elsewhere has none.
        max_tokens: The longest reply.
    """

    spec: str | None = None
    base_url: str | None = None
    device: str | None = None
    max_tokens: _Count | None = None


class RetrieverDescription(_Described):
    """What a chain looks passages up with.

    Attributes:
        k: How many chunks it retrieves.
        passages: The name of the user's own file or folder that it searches; None: the items' passages.
    """

    name: str | None = None
    embeddings: str | None = None
    k: _Count | None = None
    user_words_sha256: str | None = None
    passages: str | None = None


class ExamplesDescription(_Described):
    """Labelled examples that a chain shows: `select` says which, `n` how many, `retriever` what finds similar ones.

    Of a file of the user's own `select` is its name, and `rows_fingerprint` says which rows it held.
    """

    select: str | None = None
    rows_fingerprint: str | None = None
    n: _Count | None = None
    retriever: str | None = None
    embeddings: str | None = None


class LogDescription(_Described):
    """The log of another tool that a system's replies were imported from.

    Attributes:
        tool: Whose log it is, such as "lm-eval".
        model: Who answered, as the log calls it.
        metric: What the log calls its own score.
        usd: What the calls cost in all, as the log says, in US dollars.
        usd_items: The items that the log names the cost of.
    """

    tool: str = ""
    model: str | None = None
    metric: str | None = None
    usd: float | None = Field(default=None, ge=0)
    usd_items: _Count | None = None


class SystemDescription(_Described):
    """A system of a run: everything that can change its answers, and what a reader must know to judge them.

    Attributes:
        kind: "chain", "checkpoint", "finetune", "baseline", "cascade", "runnable" (a script's object) or "imported".
        embeddings: The embedding model that a baseline reads texts with.
        prompt: Its id.
        answer_form: The form in which its replies are read.
        examples: The labelled examples that it shows.
        rung: What its chain shows of an item, where the suite says it; the project's chains say it themselves.
        candidates: How many labels it shows, of those that the examples speak for; None: all.
        pool_fingerprint: The fingerprint of the items whose passages are searched.
        training: How a checkpoint that was trained before was trained.
        finetune: The settings of an encoder that is trained in the run.
        labels_from: The system of the run whose answers it learns, in place of labels.
        train_items: How many items it learnt from; `train_fingerprint` says which.
        cascade: The systems of the run that a cascade is made of, the first one that is asked first.
        defer: The rule by which a cascade passes items on, by its name.
        limit: How many of the items it answers, from the first; None: all.
        replies: The file of replies that were recorded elsewhere, or the files.
        log: What the log of another tool says of its own answers.
        hardware: The machine that it ran on, where that is not the run's: two runs were joined.
    """

    kind: str = ""
    baseline: str | None = None
    embeddings: str | None = None
    chain: str | None = None
    answering: str | None = None
    too_long: str | None = None
    permute: Literal["cyclic"] | None = None
    votes: _Count | None = None
    prompt: str | None = None
    prompt_sha256: str | None = None
    answer_form: AnswerForm | None = None
    model: ChatModelDescription | None = None
    retriever: RetrieverDescription | None = None
    examples: ExamplesDescription | None = None
    rung: str | None = None
    candidates: _Count | None = None
    pool_fingerprint: str | None = None
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    training: TrainingFacts | None = None
    finetune: JsonObject | None = None
    labels_from: str | None = None
    train_items: _Count | None = None
    train_fingerprint: str | None = None
    held_out: _Count | None = None
    runnable: str | None = None
    cascade: list[str] | None = None
    defer: dict[str, float] | None = None
    replies: str | None = None
    replies_sha256: str | None = None
    log: LogDescription | None = None
    hardware: Machine | None = None
    limit: _Count | None = None
    note: str | None = None

    @field_validator("model", mode="before")
    @classmethod
    def _an_older_run_names_its_model_alone(cls, model: object) -> object:
        return {"spec": model} if isinstance(model, str) else model


def looks_up(description: SystemDescription) -> bool:
    """Say whether a system is shown what is looked up for each item: passages, or labelled examples like it."""
    examples = description.examples
    return description.retriever is not None or (examples is not None and examples.select == "similar")


def role_of(description: SystemDescription) -> Role:
    """Say whether a system is trained, prompted or a baseline."""
    return ROLES.get(description.kind, "baseline")


def model_spec(description: SystemDescription) -> str | None:
    """Return the spec of a system's model, None for a system without a model."""
    return (description.model.spec if description.model else None) or None


def reply_limit_of(description: SystemDescription) -> int | None:
    """Return the most tokens that a system's model may write; None where nothing says so."""
    return description.model.max_tokens if description.model else None
