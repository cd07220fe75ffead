"""The types that every part of the project shares: what is asked, what is answered, what is kept.

`Item → to_input() → predictor → Prediction | exception → Record`. KICE and MNLI are both closed-set
choice, so one shape of record serves both, and with it one set of metrics and one report.
"""

import json
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from data.bounds import LONGEST_S, MOST_POINTS, probs_fault, usage_fault
from data.common.parsing import JsonObject
from data.common.text import normalised

# A text that is asked, looked up or chosen, in the one form in which all text is read, whoever made it.
Text = Annotated[str, AfterValidator(normalised)]
Inputs = JsonObject  # what a predictor sees of an item: see `Item.to_input`
Model = TypeVar("Model", bound=BaseModel)
Status = Literal["ok", "none", "multiple", "refusal", "truncated"]
# Where probabilities come from: an encoder's head, the likelihoods of a model's labels, what a provider says of the
# tokens of its reply, or how often each choice was answered.
ProbsSource = Literal["softmax", "likelihood", "logprobs", "votes"]
NO_TEXT = "no-text"  # the rule of a reply that holds no text
# Why a turn ended that calls a tool, in the words of OpenAI and Anthropic: such a turn needs no text.
_CALLED = frozenset({"tool_calls", "function_call", "tool_use"})


class Frozen(BaseModel):
    """Base of the shared types: immutable, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Item(Frozen):
    """One question of a benchmark.

    Attributes:
        id: Unique and stable, such as "kice/2023-11/q02" or "mnli/validation_matched/17".
        inputs: What is shown: passage, question, extra (KICE) or premise, hypothesis (MNLI).
        choices: The options, in the order of the source.
        target: 0-based index of the right choice.
        weight: Points the item is worth, at most a billion: what is more cannot be added up.
        group: The passage's id: items of one group share context, so they are one cluster for standard errors.
        tags: Section, question type, genre.
    """

    id: str = Field(min_length=1)
    inputs: dict[str, Text]
    choices: tuple[Text, ...] = Field(min_length=2)
    target: int = Field(ge=0)
    weight: float = Field(default=1.0, gt=0, le=MOST_POINTS)
    group: str
    tags: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _target_is_a_choice(self) -> Self:
        if self.target >= len(self.choices):
            raise ValueError(f"{self.id}: target {self.target} is outside its {len(self.choices)} choices")
        return self

    def to_input(self) -> Inputs:
        """Return what a predictor may see: id, group, choices and the inputs, flat; never the target."""
        return {"id": self.id, "group": self.group, "choices": list(self.choices), **self.inputs}


class ToolCall(Frozen):
    """What a model asked a tool for."""

    name: str
    arguments: JsonObject


class Message(Frozen):
    """One chat message as it was sent: role is system, user, assistant or tool."""

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()

    def whole_text(self) -> str:
        """Return all that is sent of it: what it says, and what it calls."""
        calls = [f"{call.name} {json.dumps(call.arguments, ensure_ascii=False)}" for call in self.tool_calls]
        return "\n".join([self.content, *calls])


# What a predictor is given of an item besides its texts.
_NO_TEXTS = frozenset({"id", "group", "choices"})


def texts_of_input(entry: Inputs) -> dict[str, str]:
    """Return the texts of an item by name, out of what a predictor is given of it."""
    return {name: value for name, value in entry.items() if name not in _NO_TEXTS and isinstance(value, str)}


def is_text(text: str) -> bool:
    """Say whether a text holds anything that is drawn."""
    return bool(normalised(text).strip())


# In the metadata of everything that one trial of several runs: its number, from 0.
TRIAL = "trial"


class Trial(Frozen):
    """One trial among several of one item: with its choices rotated, or as one of several samples.

    Attributes:
        order: (n_choices,), the item's own choices in the order that was shown: `order[0]` was shown first.
        choice: 0-based index into the item's own choices; `order.index(choice)` is the position that was chosen.
        status: As in a prediction.
        rule: As in a prediction; where it names a number, it is that of the position shown.
        raw: The text that the model wrote to the order shown, untouched.
        reasoning: As in a prediction.
        finish_reason: As in a prediction.
        probs: (n_choices,), the probabilities of the item's own choices; None where the trial had none.
        messages: What was sent, where that is not what the record says: a rotation's own prompt.
    """

    order: tuple[int, ...]
    choice: int | None
    status: Status
    rule: str = ""
    raw: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    probs: tuple[float, ...] | None = None
    messages: tuple[Message, ...] | None = None

    @property
    def is_blank(self) -> bool:
        """Whether the model said nothing: its reply holds no text, and neither a refusal nor a filter explains it."""
        return _is_blank_reply(self)


class Prediction(Frozen):
    """What a predictor answered.

    Attributes:
        choice: 0-based index, or None when nothing usable was said.
        status: "ok" exactly when `choice` is not None; otherwise why not.
        rule: The extraction rule that fired, or how the choice was scored.
        raw: The text the model wrote ("" for a classifier, and for an item asked several times: see `asks`).
        reasoning: What the model reasoned, where that came apart from its text; it is never read as an answer.
        finish_reason: Why it stopped writing: "stop", "length", "content_filter" …; "" where nothing says so.
        probs: (n_choices,), sums to 1; None where the predictor has no distribution.
        probs_source: What the probabilities are; None where there are none, or a rule's or one's own chain's.
        asks: Where the item was asked several times, each trial; empty where once.
        document_ids: Ids of the retrieved chunks, best first.
        candidates: Indices of the choices that were shown; empty where all were.
        stage: Which predictor of a cascade answered, from 0; None outside of a cascade.
        usage: Token counts: input_tokens, of them cached_tokens; output_tokens, of them reasoning_tokens (hidden
            thoughts); batch_input_tokens and batch_output_tokens, what a batch took of both; cut_tokens, by which the
            prompt was shortened to fit the model's context, only where it was.
    """

    choice: int | None
    status: Status
    rule: str = ""
    raw: str = ""
    reasoning: str = ""
    finish_reason: str = ""
    probs: tuple[float, ...] | None = None
    probs_source: ProbsSource | None = None
    asks: tuple[Trial, ...] = ()
    document_ids: tuple[str, ...] = ()
    candidates: tuple[int, ...] = Field(default=(), exclude_if=lambda shown: not shown)
    stage: int | None = Field(default=None, ge=0, lt=100, exclude_if=lambda stage: stage is None)
    usage: dict[str, int] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _choice_agrees_with_status(self) -> Self:
        if (self.choice is None) == (self.status == "ok"):
            raise ValueError(f"a prediction with status '{self.status}' cannot have choice {self.choice}")
        return self

    @property
    def replies(self) -> "tuple[Prediction | Trial, ...]":
        """What was said to the item: a reply for each trial."""
        return self.asks or (self,)

    @property
    def is_blank(self) -> bool:
        """Whether the model said nothing to the item, however often it was asked: that tells nothing of the model."""
        return self.choice is None and all(map(_is_blank_reply, self.replies))


def _is_blank_reply(said: Prediction | Trial) -> bool:
    if said.choice is not None or said.status not in ("none", "truncated") or is_text(said.raw):
        return False
    # Not every predictor of the user's own keeps what its model wrote; one that says why it ended does.
    return (said.rule == NO_TEXT or said.finish_reason != "") and said.finish_reason not in _CALLED


def answer_fault(answer: Prediction | Trial, n_choices: int) -> str | None:
    """Say what makes an answer unusable for an item of `n_choices`; None where nothing does."""
    if (answer.choice is None) == (answer.status == "ok"):
        return f"an answer with status '{answer.status}' cannot have choice {answer.choice}"
    if answer.choice is not None and not 0 <= answer.choice < n_choices:
        return f"choice {answer.choice} is none of the item's {n_choices}"
    if answer.probs is not None and (fault := probs_fault(answer.probs, n_choices)):
        return fault
    if isinstance(answer, Trial):
        is_order = sorted(answer.order) == list(range(n_choices))
        return None if is_order else f"{list(answer.order)} is no order of the item's {n_choices} choices"
    return usage_fault(answer.usage) or next(filter(None, (answer_fault(ask, n_choices) for ask in answer.asks)), None)


class Passage(Frozen):
    """A text that can be looked up; `id` is a KICE group, a KorQuAD paragraph or the user's own.

    Where a retriever found it, `score` is its score (higher is better) and `chunk_id` the part that was found.
    """

    id: str
    text: Text
    score: float | None = None
    chunk_id: str | None = None


class Record(Frozen):
    """One item answered by one system; self-contained, so that re-scoring needs no dataset and no model.

    Attributes:
        prediction: The answer; None when the call failed.
        error: "ErrorType: message" when the call failed; exactly one of the two is set.
        latency_s: Seconds; for a batched predictor, its share of the batch. None where nobody measured it.
        messages: What was really sent to the chat model; None for a system that sends none.
        passages: What was retrieved for the item, best first.
        attempts: How often it was asked, with those after a fault that passed.
        cache_hits: Model calls whose reply came from the response cache, and so cost nothing.
        log_score: What another tool scored the answer, from 0 to 1, where its log was imported; of an item that it
            asked several times, the mean.
    """

    item: Item
    system: str
    prediction: Prediction | None = None
    error: str | None = None
    latency_s: float | None = Field(ge=0, le=LONGEST_S)
    messages: tuple[Message, ...] | None = None
    passages: tuple[Passage, ...] = ()
    attempts: int = Field(default=1, ge=1, le=10**9)
    cache_hits: int = Field(default=0, ge=0, le=10**9)
    log_score: float | None = Field(default=None, ge=0, le=1, exclude_if=lambda score: score is None)

    @model_validator(mode="after")
    def _prediction_or_error(self) -> Self:
        if (self.prediction is None) == (self.error is None):
            raise ValueError(f"{self.item.id}: a record holds either a prediction or an error")
        if self.prediction is not None and (fault := answer_fault(self.prediction, len(self.item.choices))):
            raise ValueError(f"{self.item.id}: {fault}")
        return self


class Benchmark(Frozen):
    """A benchmark's metadata; its module's `load(split, path)` makes the items.

    Attributes:
        name: Its name on the command line.
        title: One line for people.
        language: The items' language, as a BCP 47 code.
        labels: The class names in target order where every item has the same choices, else None.
        splits: The splits that `load` knows.
        default_split: The split of a plain `eval run NAME`.
        sample_split: The split that ships with the project.
        train_splits: For each evaluation split, the split that systems which learn may learn from.
        source: Where the data comes from, with the pinned revision.
        licence: What its owner allows.
        citation: The paper or the institution.
    """

    name: str
    title: str
    language: str
    labels: tuple[Text, ...] | None
    splits: tuple[str, ...]
    default_split: str
    sample_split: str
    train_splits: dict[str, str] = Field(default_factory=dict)
    source: str
    licence: str
    citation: str
