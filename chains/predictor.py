"""The steps that every chain is made of: fill a field in, ask or score a model, read its reply.

    input ─ Assign(documents = query | retriever) ─ render ─ (fit passage) ─ template ─ model ─ read reply → Prediction

LangChain's own `RunnablePassthrough.assign` invokes item by item when a chain is batched, which would hide
the real batches of local models and retrievers; `Assign` is the same step with the batch kept whole.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import get_config_list
from pydantic import ConfigDict

from chains.local.likelihood import Likelihood
from chains.local.passage_fit import TooLong, fit_passage
from chains.models.families import split_thoughts
from chains.models.reply_fields import read_finish_reason, read_reasoning, read_usage
from chains.models.specs import score_labels, supports_scoring, takes_logprobs
from chains.prompt_files import AnswerForm, Prompt
from chains.reading.extraction import Extraction, visible_text
from chains.reading.labels import extract_label
from chains.reading.logprobs import REQUEST, reply_probs
from data.common.errors import ConfigurationError
from data.common.text import whole_characters
from data.types import NO_TEXT, Inputs, Prediction, is_text

Output = TypeVar("Output")
Predictor = Runnable[Inputs, Prediction]
Answering = Literal["auto", "score", "score-mean", "score-pmi", "logprobs", "generate"]
# What is compared of the labels by each way of scoring them; "auto" scores where it can.
_LIKELIHOODS: dict[str, Likelihood] = {"auto": "sum", "score": "sum", "score-mean": "mean", "score-pmi": "pmi"}


class Assign(RunnableSerializable[Inputs, Inputs]):
    """Adds what `step` makes of the input under `key`, batch by batch.

    Attributes:
        of: The field that the step takes; None: the whole input.
        once: Where an item is asked several times, take the step once for all of them: it is about the item, whatever
            the order that its choices are shown in.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    key: str
    step: Runnable[Any, Any]
    of: str | None = None
    once: bool = False

    def _taken(self, input: Inputs) -> Any:
        return input if self.of is None else input[self.of]

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Inputs:
        return {**input, self.key: self.step.invoke(self._taken(input), config, **kwargs)}

    async def ainvoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Inputs:
        return {**input, self.key: await self.step.ainvoke(self._taken(input), config, **kwargs)}

    def batch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Inputs]:
        taken = [self._taken(entry) for entry in inputs]
        values = self.step.batch(taken, config, return_exceptions=return_exceptions, **kwargs)
        return [
            value if isinstance(value, Exception) else {**entry, self.key: value}  # type: ignore[misc]  # as Runnable.batch does
            for entry, value in zip(inputs, values, strict=True)
        ]


class Step(RunnableSerializable[Inputs, Output]):
    """Applies a function that asks nobody.

    A RunnableLambda does that too, but has a run of its own in every trace and reads the function's signature at every
    call, which together take longer than such a function.
    """

    function: Callable[[Inputs], Output]

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        return self.function(input)

    async def ainvoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        return self.function(input)


class ScoreLabels(RunnableSerializable[Inputs, Prediction]):
    """Answers with the label whose continuation of the prompt is most likely: no text is generated.

    Input: the item's input with "prompt" (a PromptValue). The probabilities are the softmax over what is compared of
    the labels.
    """

    model: BaseChatModel
    prompt: Prompt
    likelihood: Likelihood = "sum"

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Prediction:
        return self.batch([input], config, **kwargs)[0]

    def batch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Prediction]:
        scores = score_labels(
            self.model,
            [entry["prompt"].to_messages() for entry in inputs],
            [self.prompt.labels(entry["choices"]) for entry in inputs],
            likelihood=self.likelihood,
            config=get_config_list(config, len(inputs)),
            return_exceptions=return_exceptions,
        )
        return [
            score if isinstance(score, Exception) else _scored(score.probs, score.input_tokens, entry)
            for entry, score in zip(inputs, scores, strict=True)
        ]


def _scored(probs: Sequence[float], input_tokens: int, entry: Inputs) -> Prediction:
    return Prediction(
        choice=max(range(len(probs)), key=probs.__getitem__),
        status="ok",
        rule="label-likelihood",
        probs=tuple(probs),
        probs_source="likelihood",
        document_ids=_document_ids(entry),
        usage={"input_tokens": input_tokens, "output_tokens": 0, **_cut_tokens(entry)},
    )


def read_reply(
    form: AnswerForm, entry: Inputs, *, labels: Callable[[Sequence[str]], list[str]] | None = None
) -> Prediction:
    """Extract the answer from "reply", the model's message to the input.

    Args:
        form: The form of the answer that the prompt asked for.
        entry: The input with "reply".
        labels: Returns, for the choices, what stands for them in the reply, where the provider was asked how likely
            they are; None: it was not.
    """
    reply: AIMessage = entry["reply"]
    choices: list[str] = entry["choices"]
    finish_reason = read_finish_reason(reply)
    read = read_text(
        whole_characters(reply.text),
        choices,
        form=form.form,
        finish_reason=finish_reason,
        prompt=entry["prompt"].to_string() if "prompt" in entry else "",
        question=entry.get("question", ""),
    )
    extraction = read.extraction
    probs = None if labels is None else reply_probs(reply, labels(choices), extraction.choice)
    return Prediction(
        choice=extraction.choice,
        status=extraction.status,
        rule=extraction.rule,
        raw=read.raw,
        reasoning=read_reasoning(reply) or read.reasoning,
        finish_reason=finish_reason,
        probs=probs,
        probs_source=None if probs is None else "logprobs",
        document_ids=_document_ids(entry),
        usage={**read_usage(reply), **_cut_tokens(entry)},
    )


class ReadText(NamedTuple):
    """What a text states, and its two parts where it is nothing but thoughts: then `raw` is empty."""

    extraction: Extraction
    raw: str
    reasoning: str


def read_text(
    text: str, choices: Sequence[str], *, form: str, finish_reason: str, prompt: str = "", question: str = ""
) -> ReadText:
    """Read a reply's text as `extract` does, and tell whether there was any text that could be an answer.

    Thoughts that nothing follows are no text, and a reply without text is named so by its rule.
    """
    thoughts = split_thoughts(text)
    said, _ = visible_text(text)
    extraction = extract(text, choices, form=form, finish_reason=finish_reason, prompt=prompt, question=question)
    if extraction.choice is not None or is_text(said):
        return ReadText(extraction, text, "")
    reasoning = thoughts.reasoning or (text if is_text(text) else "")  # in other markup than the models' own
    raw = "" if reasoning else text
    if extraction.status == "refusal":
        return ReadText(extraction, raw, reasoning)
    return ReadText(extraction._replace(rule=NO_TEXT), raw, reasoning)


def extract(
    text: str, choices: Sequence[str], *, form: str, finish_reason: str, prompt: str = "", question: str = ""
) -> Extraction:
    """Read the choice out of a reply, by the form of answer that the prompt asked for.

    Args:
        text: What the reply says.
        choices: What it could have said.
        form: "number" or "label".
        finish_reason: Why it ended, as `read_finish_reason` says it.
        prompt: What the model was shown; "" where that is not known. Labels count by number only if it numbers them.
        question: What was asked, which tells whether the answer is the one right or the one wrong choice.
    """
    truncated = finish_reason == "length"
    if form == "number":
        # Here, since their patterns take 12 ms to compile, which a run over labels would wait for in vain.
        from chains.reading.choices import extract_choice
        from data.polarity import asks_for_the_wrong_one

        negative = asks_for_the_wrong_one(question)
        extraction = extract_choice(text, len(choices), choices=choices, truncated=truncated, negative=negative)
    else:
        extraction = extract_label(text, choices, truncated=truncated, prompt=prompt)
    if extraction.choice is None and finish_reason in ("refusal", "content_filter"):
        return Extraction(None, "refusal", finish_reason)
    return extraction


def _document_ids(entry: Inputs) -> tuple[str, ...]:
    return tuple(document.id for document in entry.get("documents", ()))


def _cut_tokens(entry: Inputs) -> dict[str, int]:
    return {"cut_tokens": entry["cut_tokens"]} if "cut_tokens" in entry else {}


def answer_with(
    model: BaseChatModel,
    prompt: Prompt,
    *,
    render: Callable[[Inputs], dict[str, str]],
    answering: Answering = "auto",
    too_long: TooLong = "error",
) -> Predictor:
    """Chain a prompt, a model and the reading of its answer.

    Args:
        model: Any chat model.
        prompt: What is said to it.
        render: Makes the prompt's variables from the input (and what earlier steps put there).
        answering: "score" compares the labels' likelihoods (local models), "score-mean" divides them by the labels'
            tokens and "score-pmi" by what they are without the prompt; "generate" reads generated text, "logprobs" too,
            and asks the provider how likely the labels were; "auto" scores where the model can and the prompt asks for
            the bare answer.
        too_long: What becomes of a prompt beyond the model's context: "error" leaves it to the model, which refuses
            it; "truncate-passage" shortens the variable `context` until it fits (local models).

    Raises:
        ConfigurationError: Scoring was asked of a model or a prompt that does not allow it, or shortening of a model
            that runs elsewhere.
    """
    scorable = supports_scoring(model)
    if answering == "logprobs":
        _check_logprobs(model, prompt)
    elif answering not in ("auto", "generate") and (prompt.answer.reasoning or not scorable):
        why = f"prompt '{prompt.id}' reasons before it answers" if scorable else "the model gives no label likelihoods"
        raise ConfigurationError(f"answering '{answering}' is not possible: {why}; use 'generate' or 'auto'")
    scores = answering not in ("generate", "logprobs") and scorable and not prompt.answer.reasoning
    variables: Runnable[Inputs, Inputs] = Assign(key="variables", step=Step(function=render))
    if too_long == "truncate-passage":
        variables = variables | fit_passage(model, prompt, scored=scores)
    ask = variables | Assign(key="prompt", step=prompt.template(), of="variables")
    if scores:
        return ask | ScoreLabels(model=model, prompt=prompt, likelihood=_LIKELIHOODS[answering])
    read = partial(read_reply, prompt.answer)
    asked: Runnable[Any, AIMessage] = model
    if answering == "logprobs":
        asked, read = model.bind(**REQUEST), partial(read, labels=prompt.labels)
    return ask | Assign(key="reply", step=asked, of="prompt") | Step(function=read)


def _check_logprobs(model: BaseChatModel, prompt: Prompt) -> None:
    if prompt.answer.reasoning:
        why = f"prompt '{prompt.id}' reasons before it answers; use 'generate'"
    elif supports_scoring(model):
        why = "a model in this process is asked for its labels' likelihoods directly; use 'score'"
    elif not takes_logprobs(model):
        why = f"LangChain's {type(model).__name__} takes no logprobs; use 'generate', or a server behind endpoint:"
    else:
        return
    raise ConfigurationError(f"answering 'logprobs' is not possible: {why}")
