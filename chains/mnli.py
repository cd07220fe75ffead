"""MNLI: does the premise entail the hypothesis, contradict it, or neither?

Source: Williams et al. 2018, "A Broad-Coverage Challenge Corpus for Sentence Understanding through Inference",
arXiv:1704.05426. Any item with a premise, a hypothesis and label names as choices can be asked.
"""

from collections.abc import Sequence

from langchain_core.language_models import BaseChatModel

from chains.predictor import Answering, Predictor, answer_with
from chains.prompt_files import load_prompt
from chains.steps import LabelledInput, with_labels
from data.mnli import LABELS
from data.types import Inputs

VARIABLES = ("premise", "hypothesis", "choices")


class MnliInput(LabelledInput):
    """A pair of sentences, of which the first may entail the second."""

    premise: str
    hypothesis: str


def mnli_zero_shot(
    model: BaseChatModel,
    *,
    prompt: str = "mnli/zero-shot",
    answering: Answering = "auto",
    labels: Sequence[str] = LABELS,
) -> Predictor:
    """Answer with one of the label names; no training pairs are used, whatever the prompt shows.

    Args:
        model: Any chat model.
        prompt: As `load_prompt` takes it.
        answering: As for `answer_with`.
        labels: The choices of an input that has none.
    """
    loaded = load_prompt(prompt, benchmark="mnli")
    answer = answer_with(model, loaded, render=render, answering=answering, takes=MnliInput)
    return with_labels(labels, takes=MnliInput) | answer


def render(item: Inputs) -> dict[str, str]:
    """Return the prompt's variables for an item."""
    return {
        "premise": item["premise"],
        "hypothesis": item["hypothesis"],
        "choices": ", ".join(item["choices"]),
    }
