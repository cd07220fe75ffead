"""Classification of any texts by a chat model: the labels alone, or with labelled examples that are most like the text.

    input ─ (retrieve: examples) ─ (candidates: their labels) ─ fill in ─ prompt ─ model ─ read answer → Prediction

Every text of the item is shown, whatever it is called, so that the same chain serves any task.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.runnables.graph import Graph
from pydantic import ConfigDict

from chains.examples import FindExamples, item_text
from chains.predictor import Answering, Predictor, answer_with
from chains.prompt_files import load_prompt
from chains.steps import Assign, ItemInput, LabelledInput, with_labels
from data.common.errors import ConfigurationError
from data.types import Inputs, Prediction

VARIABLES = ("text", "labels")
LOOKED_UP = 5  # examples for each candidate, which it takes for the labels of near ones to be among them


def classify(
    model: BaseChatModel,
    *,
    prompt: str = "classify/zero-shot",
    answering: Answering = "auto",
    examples: FindExamples | None = None,
    candidates: int | None = None,
    meanings: Mapping[str, str] | None = None,
    labels: Sequence[str] | None = None,
) -> Predictor:
    """Answer with one of the item's labels.

    Args:
        model: Any chat model.
        prompt: As `load_prompt` takes it; its variables are `VARIABLES`.
        answering: As for `answer_with`.
        examples: What finds the labelled examples of an item; None: none are shown.
        candidates: Show only so many labels, those that the examples speak for most; None: all.
        meanings: What labels mean, by label, for those where it is known.
        labels: The choices of an input that has none; None: every input has its own.

    Raises:
        ConfigurationError: The prompt does not say how examples are shown, or as for `answer_with`.
    """
    loaded = load_prompt(prompt, benchmark="classify")
    if examples is not None and loaded.example is None:
        raise ConfigurationError(f"prompt '{loaded.id}' has no 'example', which says how examples are shown; add one")
    render = partial(prompt_values, meanings=meanings or {}, example=loaded.example)
    takes = ItemInput if labels is None else LabelledInput
    answer = answer_with(model, loaded, render=render, answering=answering, takes=takes)
    if candidates is not None:
        shown = 0 if examples is None else examples.n
        answer = AmongCandidates(answer=answer, n=candidates, shown=shown)
    if candidates is not None and examples is not None:
        examples = examples.model_copy(update={"looked_up": LOOKED_UP * candidates})
    if examples is not None:
        answer = Assign(name="retrieve", key="documents", step=examples, once=True, takes=takes) | answer
    return answer if labels is None else with_labels(labels, takes=takes) | answer


def prompt_values(entry: Inputs, *, meanings: Mapping[str, str], example: str | None = None) -> dict[str, Any]:
    """Return the values of a prompt's `VARIABLES` for an input, with its examples as turns if it has any.

    Args:
        entry: The input, with the documents of its examples.
        meanings: What labels mean, by label.
        example: How an example's text is shown.
    """
    documents: Sequence[Document] = entry.get("documents", ()) if example else ()
    turns: list[BaseMessage] = []
    # The most similar example comes last, next to the text: what stands there weighs most.
    for document in reversed(documents):
        turns += [
            HumanMessage(str(example).strip().format(text=document.page_content)),
            AIMessage(document.metadata["label"]),
        ]
    labels = [f"{label}: {meanings[label]}" if label in meanings else label for label in entry["choices"]]
    return {"text": item_text(entry), "labels": "\n".join(f"- {label}" for label in labels), "examples": turns}


class AmongCandidates(RunnableSerializable[Inputs, Prediction]):
    """Answers among the labels that an item's examples speak for, and maps the answer back to all labels.

    Attributes:
        answer: Answers an input whose `choices` are the candidates.
        n: How many candidates an item has at most; where its examples have fewer labels, the first others fill up.
        shown: How many of its examples the prompt shows.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    answer: Predictor
    n: int
    shown: int

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Prediction:
        places = candidate_places(input["choices"], input.get("documents", ()), self.n)
        return _among_all(
            self.answer.invoke(self._narrowed(input, places), config, **kwargs), places, len(input["choices"])
        )

    def batch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Prediction]:
        places = [candidate_places(entry["choices"], entry.get("documents", ()), self.n) for entry in inputs]
        narrowed = [self._narrowed(entry, kept) for entry, kept in zip(inputs, places, strict=True)]
        answers: list[Any] = self.answer.batch(narrowed, config, return_exceptions=return_exceptions, **kwargs)
        return [
            answer if isinstance(answer, Exception) else _among_all(answer, kept, len(entry["choices"]))  # type: ignore[misc]  # as Runnable.batch does
            for answer, kept, entry in zip(answers, places, inputs, strict=True)
        ]

    def get_graph(self, config: RunnableConfig | None = None) -> Graph:
        return self.answer.get_graph(config)

    def _narrowed(self, entry: Inputs, places: Sequence[int]) -> Inputs:
        documents = list(entry.get("documents", ()))[: self.shown]
        return {**entry, "choices": [entry["choices"][place] for place in places], "documents": documents}


def candidate_places(choices: Sequence[str], documents: Sequence[Document], n: int) -> list[int]:
    """Return the indices of the labels that examples speak for most, in the order of the labels.

    An example speaks for its label with one over its rank, so that near ones count more.
    """
    weights = dict.fromkeys(range(len(choices)), 0.0)
    place_of = {label: place for place, label in enumerate(choices)}
    for rank, document in enumerate(documents, start=1):
        if (place := place_of.get(document.metadata["label"])) is not None:
            weights[place] += 1 / rank
    return sorted(sorted(weights, key=lambda place: -weights[place])[: max(n, 2)])


def _among_all(answer: Prediction, places: Sequence[int], n_labels: int) -> Prediction:
    """Return an answer among candidates as one among all labels; those that were not shown have probability 0."""
    probs = None
    if answer.probs is not None:
        full = [0.0] * n_labels
        for place, probability in zip(places, answer.probs, strict=True):
            full[place] = probability
        probs = tuple(full)
    choice = None if answer.choice is None else places[answer.choice]
    return answer.model_copy(update={"choice": choice, "probs": probs, "candidates": tuple(places)})
