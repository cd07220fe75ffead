"""What every chain ends in: a prompt that is filled in, a model that is asked or scores labels, a reply that is read.

    input ─ (retrieve) ─ fill in ─ (fit passage) ─ prompt ─ model ─ read answer → Prediction

Where labels are scored, one step stands in the place of the last two.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import get_config_list
from pydantic import BaseModel

from chains.local.likelihood import Likelihood
from chains.local.passage_fit import TooLong, fit_passage
from chains.models.reply_fields import read_finish_reason, read_reasoning, read_usage
from chains.models.reply_schema import answer_schema, held_to
from chains.models.specs import score_labels, supports_scoring, takes_logprobs
from chains.prompt_files import AnswerForm, Prompt
from chains.reading.logprobs import REQUEST, reply_probs
from chains.reading.reply import read_text
from chains.steps import Assign, ItemInput, Step
from data.common.errors import ConfigurationError
from data.common.text import whole_characters
from data.types import Inputs, Prediction, texts_of_input

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
            config=[{**own, "run_name": "model"} for own in get_config_list(config, len(inputs))],
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
    render: Callable[[Inputs], dict[str, Any]],
    answering: Answering = "auto",
    too_long: TooLong = "error",
    takes: type[BaseModel] = ItemInput,
) -> Predictor:
    """Chain a prompt, a model and the reading of its answer.

    Args:
        model: Any chat model.
        prompt: What is said to it.
        render: Makes the prompt's variables from the input (and what earlier steps put there); the prompt may name the
            item's own texts too.
        answering: "score" compares the labels' likelihoods (local models), "score-mean" divides them by the labels'
            tokens and "score-pmi" by what they are without the prompt; "generate" reads generated text, "logprobs" too,
            and asks the provider how likely the labels were; "structured" has the provider hold the reply to one of the
            labels; "auto" scores where the model can and the prompt asks for the bare answer.
        too_long: What becomes of a prompt beyond the model's context: "error" leaves it to the model, which refuses
            it; "truncate-passage" shortens the variable `context` until it fits (local models).
        takes: The fields of an item that the chain needs.

    Raises:
        ConfigurationError: The model or the prompt does not allow to be asked so, or shortening was asked of a model
            that runs elsewhere.
    """
    _check_answering(model, prompt, answering)
    reasons, asks = prompt.answer.reasoning, answering in ("generate", "logprobs", "structured")
    scores = not asks and supports_scoring(model) and not reasons
    variables: Runnable[Inputs, Inputs] = filling_in(prompt, render, takes=takes)
    if too_long == "truncate-passage":
        variables = variables | fit_passage(model, prompt, scored=scores)
    ask = variables | Assign(key="prompt", step=prompt.template(), of="variables")
    if scores:
        return ask | ScoreLabels(name="score labels", model=model, prompt=prompt, likelihood=_LIKELIHOODS[answering])
    asked: Runnable[Any, AIMessage] = model
    read = partial(read_reply, prompt.answer)
    of: str | None = "prompt"
    if answering == "logprobs":
        asked, read = model.bind(**REQUEST), partial(read, labels=prompt.labels)
    elif answering == "structured":
        asked, read, of = AskForSchema(model=model, prompt=prompt), partial(read, structured=True), None
    return ask | Assign(name="model", key="reply", step=asked, of=of) | reading(read)


def reading(read: Callable[[Inputs], Prediction], *, shows: str = "reply") -> Step[Prediction]:
    """Return the step that a chain ends in: it reads the prediction out of all that came before.

    Args:
        read: Reads the prediction.
        shows: The field of the input that a trace shows it to read.
    """
    return Step(name="read answer", function=read, gives=Prediction, shows=shows)


def filling_in(prompt: Prompt, render: Callable[[Inputs], dict[str, Any]], *, takes: type[BaseModel]) -> Assign:
    """Return the step that adds the prompt's variables; its arguments are those of `answer_with`."""
    step = Step(function=partial(_filled_in, prompt, render))
    return Assign(name="fill in", key="variables", step=step, takes=takes)


def _filled_in(prompt: Prompt, render: Callable[[Inputs], dict[str, Any]], entry: Inputs) -> dict[str, Any]:
    """Return the values of a prompt's variables: what its chain makes, and of the others the item's own texts.

    Raises:
        ValueError: The item has no such text.
    """
    values = render(entry)
    texts = texts_of_input(entry)
    if unknown := sorted(prompt.variables - values.keys() - texts.keys()):
        raise ValueError(
            f"prompt '{prompt.id}' names {{{unknown[0]}}}, which is nothing of the item; allowed: "
            f"{', '.join(sorted({*values, *texts}))}"
        )
    return {**{name: texts[name] for name in prompt.variables - values.keys()}, **values}


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
