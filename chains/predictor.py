"""What every chain ends in: a prompt that is filled in, a model that is asked or scores labels, a reply that is read.

input ─ Assign(documents = query | retriever) ─ render ─ (fit passage) ─ template ─ model ─ read reply → Prediction
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import get_config_list

from chains.local.likelihood import Likelihood
from chains.local.passage_fit import TooLong, fit_passage
from chains.models.reply_fields import read_finish_reason, read_reasoning, read_usage
from chains.models.reply_schema import answer_schema, held_to
from chains.models.specs import score_labels, supports_scoring, takes_logprobs
from chains.prompt_files import AnswerForm, Prompt
from chains.reading.logprobs import REQUEST, reply_probs
from chains.reading.reply import read_text
from chains.steps import Assign, Step
from data.common.errors import ConfigurationError
from data.common.text import whole_characters
from data.types import Inputs, Prediction

Predictor = Runnable[Inputs, Prediction]
Answering = Literal["auto", "score", "score-mean", "score-pmi", "logprobs", "structured", "generate"]
# What is compared of the labels by each way of scoring them; "auto" scores where it can.
_LIKELIHOODS: dict[str, Likelihood] = {"auto": "sum", "score": "sum", "score-mean": "mean", "score-pmi": "pmi"}


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


class AskForSchema(RunnableSerializable[Inputs, AIMessage]):
    """Asks a model that is held to one of the item's labels, whichever these are: input with "prompt" to a message."""

    model: BaseChatModel
    prompt: Prompt

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessage:
        schema = answer_schema(self.prompt.labels(input["choices"]), reasons=self.prompt.answer.reasoning)
        return held_to(self.model, schema).invoke(input["prompt"], config, **kwargs)


def read_reply(
    form: AnswerForm,
    entry: Inputs,
    *,
    labels: Callable[[Sequence[str]], list[str]] | None = None,
    structured: bool = False,
) -> Prediction:
    """Extract the answer from "reply", the model's message to the input.

    Args:
        form: The form of the answer that the prompt asked for.
        entry: The input with "reply".
        labels: Returns, for the choices, what stands for them in the reply, where the provider was asked how likely
            they are; None: it was not.
        structured: Whether the reply was held to the schema of `AskForSchema`.
    """
    reply: AIMessage = entry["reply"]
    choices: list[str] = entry["choices"]
    finish_reason = read_finish_reason(reply)
    read = read_text(
        whole_characters(_said(reply) if structured else reply.text),
        choices,
        form=form.form,
        finish_reason=finish_reason,
        prompt=entry["prompt"].to_string() if "prompt" in entry else "",
        question=entry.get("question", ""),
        structured=structured,
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


def _said(reply: AIMessage) -> str:
    """Return a reply's text; where LangChain asks for a schema by a tool, the arguments that this is called with."""
    return reply.text or (json.dumps(reply.tool_calls[0]["args"], ensure_ascii=False) if reply.tool_calls else "")


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
            and asks the provider how likely the labels were; "structured" has the provider hold the reply to one of the
            labels; "auto" scores where the model can and the prompt asks for the bare answer.
        too_long: What becomes of a prompt beyond the model's context: "error" leaves it to the model, which refuses
            it; "truncate-passage" shortens the variable `context` until it fits (local models).

    Raises:
        ConfigurationError: The model or the prompt does not allow to be asked so, or shortening was asked of a model
            that runs elsewhere.
    """
    _check_answering(model, prompt, answering)
    reasons, asks = prompt.answer.reasoning, answering in ("generate", "logprobs", "structured")
    scores = not asks and supports_scoring(model) and not reasons
    variables: Runnable[Inputs, Inputs] = Assign(key="variables", step=Step(function=render))
    if too_long == "truncate-passage":
        variables = variables | fit_passage(model, prompt, scored=scores)
    ask = variables | Assign(key="prompt", step=prompt.template(), of="variables")
    if scores:
        return ask | ScoreLabels(model=model, prompt=prompt, likelihood=_LIKELIHOODS[answering])
    read = partial(read_reply, prompt.answer)
    reply = Assign(key="reply", step=model, of="prompt")
    if answering == "logprobs":
        reply, read = Assign(key="reply", step=model.bind(**REQUEST), of="prompt"), partial(read, labels=prompt.labels)
    elif answering == "structured":
        reply, read = Assign(key="reply", step=AskForSchema(model=model, prompt=prompt)), partial(read, structured=True)
    return ask | reply | Step(function=read)


def _check_answering(model: BaseChatModel, prompt: Prompt, answering: Answering) -> None:
    if answering == "logprobs":
        _check_logprobs(model, prompt)
    elif answering == "structured":
        held_to(model, answer_schema(["1", "2"]))
    elif answering.startswith("score"):
        scorable = supports_scoring(model)
        if scorable and not prompt.answer.reasoning:
            return
        why = f"prompt '{prompt.id}' reasons before it answers" if scorable else "the model gives no label likelihoods"
        raise ConfigurationError(f"answering '{answering}' is not possible: {why}; use 'generate' or 'auto'")


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
