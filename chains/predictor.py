"""The steps that every chain is made of: fill a field in, ask or score a model, read its reply.

    input ─ Assign(documents = query | retriever) ─ render ─ (fit passage) ─ template ─ model ─ read reply → Prediction

LangChain's own `RunnablePassthrough.assign` invokes item by item when a chain is batched, which would hide
the real batches of local models and retrievers; `Assign` is the same step with the batch kept whole.
"""

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda, RunnableSerializable
from langchain_core.runnables.config import get_config_list
from pydantic import ConfigDict

from chains.context import TooLong, fit_passage
from chains.likelihood import Likelihood
from chains.models import score_labels, supports_scoring
from chains.parsing import Extraction, extract_choice, extract_label
from chains.templates import AnswerForm, Prompt
from data.errors import ConfigurationError
from data.types import Prediction

Inputs = dict[str, Any]
Predictor = Runnable[Inputs, Prediction]
Answering = Literal["auto", "score", "score-mean", "score-pmi", "generate"]
# What is compared of the labels by each way of scoring them; "auto" scores where it can.
_LIKELIHOODS: dict[str, Likelihood] = {"auto": "sum", "score": "sum", "score-mean": "mean", "score-pmi": "pmi"}


class Assign(RunnableSerializable[Inputs, Inputs]):
    """Adds what `step` makes of the input under `key`, batch by batch."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    key: str
    step: Runnable[Inputs, Any]

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Inputs:
        return {**input, self.key: self.step.invoke(input, config, **kwargs)}

    async def ainvoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Inputs:
        return {**input, self.key: await self.step.ainvoke(input, config, **kwargs)}

    def batch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Inputs]:
        values = self.step.batch(inputs, config, return_exceptions=return_exceptions, **kwargs)
        return [
            value if isinstance(value, Exception) else {**entry, self.key: value}  # type: ignore[misc]  # as Runnable.batch does
            for entry, value in zip(inputs, values, strict=True)
        ]


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
        document_ids=_document_ids(entry),
        usage={"input_tokens": input_tokens, "output_tokens": 0, **_cut_tokens(entry)},
    )


def read_reply(form: AnswerForm, entry: Inputs) -> Prediction:
    """Extract the answer from "reply", the model's message to the input."""
    reply: AIMessage = entry["reply"]
    choices: list[str] = entry["choices"]
    text = reply.text
    finish_reason = read_finish_reason(reply)
    extraction = extract(text, choices, form=form.form, truncated=finish_reason == "length")
    if extraction.choice is None and finish_reason in ("refusal", "content_filter"):
        extraction = Extraction(None, "refusal", finish_reason)
    return Prediction(
        choice=extraction.choice,
        status=extraction.status,
        rule=extraction.rule,
        raw=text,
        finish_reason=finish_reason,
        document_ids=_document_ids(entry),
        usage={**read_usage(reply), **_cut_tokens(entry)},
    )


# What providers write where OpenAI writes "length"; compared without case.
_CUT_OFF = frozenset({"length", "max_tokens", "max_output_tokens", "incomplete"})


def read_finish_reason(reply: AIMessage) -> str:
    """Return why a reply ended, in OpenAI's words: "stop", "length", "content_filter", "refusal"; "" if unsaid.

    Anthropic says `stop_reason`, Ollama `done_reason`, OpenAI's Responses API `status`; a refusal of OpenAI's comes
    beside an empty content.
    """
    metadata = reply.response_metadata
    said = next((metadata[key] for key in _FINISH_KEYS if isinstance(metadata.get(key), str)), "").lower()
    if reply.additional_kwargs.get("refusal") or said == "refusal":
        return "refusal"
    return "length" if said in _CUT_OFF else said


_FINISH_KEYS = ("finish_reason", "stop_reason", "done_reason", "status")


def extract(text: str, choices: Sequence[str], *, form: str, truncated: bool) -> Extraction:
    """Read the choice out of a reply, by the form of answer that the prompt asked for."""
    if form == "number":
        return extract_choice(text, len(choices), choices=choices, truncated=truncated)
    return extract_label(text, choices, truncated=truncated)


def _document_ids(entry: Inputs) -> tuple[str, ...]:
    return tuple(document.id for document in entry.get("documents", ()))


def _cut_tokens(entry: Inputs) -> dict[str, int]:
    return {"cut_tokens": entry["cut_tokens"]} if "cut_tokens" in entry else {}


def read_usage(reply: AIMessage) -> dict[str, int]:
    """Return the tokens that a reply reports: input_tokens, output_tokens, cached_tokens; {} where it does not."""
    if reply.usage_metadata is None:
        return {}
    usage = {name: reply.usage_metadata[name] for name in ("input_tokens", "output_tokens")}
    cached = (reply.usage_metadata.get("input_token_details") or {}).get("cache_read")
    return {**usage, "cached_tokens": cached} if cached else usage


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
            tokens and "score-pmi" by what they are without the prompt; "generate" reads generated text, "auto" scores
            where the model can and the prompt asks for the bare answer.
        too_long: What becomes of a prompt beyond the model's context: "error" leaves it to the model, which refuses
            it; "truncate-passage" shortens the variable `context` until it fits (local models).

    Raises:
        ConfigurationError: Scoring was asked of a model or a prompt that does not allow it, or shortening of a model
            that runs elsewhere.
    """
    scorable = supports_scoring(model)
    if answering not in ("auto", "generate") and (prompt.answer.reasoning or not scorable):
        why = f"prompt '{prompt.id}' reasons before it answers" if scorable else "the model gives no label likelihoods"
        raise ConfigurationError(f"answering '{answering}' is not possible: {why}; use 'generate' or 'auto'")
    scores = answering != "generate" and scorable and not prompt.answer.reasoning
    likelihood = _LIKELIHOODS[answering] if scores else None
    rendered = RunnableLambda(render, name="render")
    if too_long == "error":
        return _ask(model, prompt, rendered, likelihood)
    fitted = Assign(key="variables", step=rendered) | fit_passage(model, prompt, scored=scores)
    return fitted | _ask(model, prompt, RunnableLambda(itemgetter("variables"), name="variables"), likelihood)


def _ask(
    model: BaseChatModel, prompt: Prompt, variables: Runnable[Inputs, dict[str, str]], likelihood: Likelihood | None
) -> Predictor:
    ask = variables | prompt.template()
    if likelihood is not None:
        return Assign(key="prompt", step=ask) | ScoreLabels(model=model, prompt=prompt, likelihood=likelihood)
    return Assign(key="reply", step=ask | model) | RunnableLambda(partial(read_reply, prompt.answer), name="read_reply")
