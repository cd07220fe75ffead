"""MNLI: does the premise entail the hypothesis, contradict it, or neither?

Source: Williams et al. 2018, "A Broad-Coverage Challenge Corpus for Sentence Understanding through Inference",
arXiv:1704.05426. Any item with a premise, a hypothesis and label names as choices can be asked.
"""

from langchain_core.language_models import BaseChatModel

from chains.predictor import Answering, Predictor, answer_with
from chains.prompt_files import load_prompt
from data.types import Inputs

VARIABLES = ("premise", "hypothesis", "choices")


def mnli_zero_shot(model: BaseChatModel, *, prompt: str = "mnli/zero-shot", answering: Answering = "auto") -> Predictor:
    """Answer with one of the label names; no training pairs are used, whatever the prompt shows."""
    loaded = load_prompt(prompt, variables=VARIABLES, benchmark="mnli")
    return answer_with(model, loaded, render=render, answering=answering)


def render(item: Inputs) -> dict[str, str]:
    """Return the prompt's variables for an item."""
    return {
        "premise": item["premise"],
        "hypothesis": item["hypothesis"],
        "choices": ", ".join(item["choices"]),
    }
