"""What a chain of the user's own may answer: a text, a message, the index of a choice, or a Prediction.

An object that can be invoked with an item's input comes in; a predictor goes out. A text and a message are read by the
project's own rules, with the item's choices.
"""

from numbers import Integral
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableLambda, RunnableSequence

from chains.predictor import read_reply, reading
from chains.prompt_files import AnswerForm
from chains.repeated import shared_steps, steps_of
from chains.steps import Assign
from data.common.errors import ConfigurationError
from data.types import Inputs, Prediction
from eval.plan.chain_predictor import Predictor

Object = Runnable[Any, Any]
_ANSWER = "answer of the user's own chain"  # no item has a field of that name


class AnswerTypeError(ConfigurationError):
    """The first answer of a chain of the user's own is of a type that nobody can read: the others will be too."""


def as_runnable(what: str, given: object) -> Object:
    """Return an object of the user's own as a runnable.

    Args:
        what: What it is called in a message, such as "system 'mine'".
        given: The object.

    Raises:
        ConfigurationError: It cannot be invoked with an item's input.
    """
    if isinstance(given, BaseChatModel):
        raise ConfigurationError(f"{what} is a chat model, which takes messages; give a chain such as prompt | model")
    if isinstance(given, Runnable):
        return given
    if callable(given) and not isinstance(given, type):
        return RunnableLambda(given)
    raise ConfigurationError(f"{what} is of the type {type(given).__name__}; give a Runnable or a function of an input")


def own_predictor(system: Object, *, who: str, labelled: bool) -> Predictor:
    """Return the predictor that an object of the user's own makes.

    Args:
        system: Returns for an item's input a Prediction, a message, a text, or the 0-based index of a choice.
        who: What it is called in a message.
        labelled: Whether all items share their labels: then a text is read for one of them, else for a number too.
    """
    steps = steps_of(system)
    shared = shared_steps(system)[: len(steps) - 1]  # which stay where they are once for all trials of an item
    own = steps[len(shared) :]
    answer = Assign(key=_ANSWER, step=own[0] if len(own) == 1 else RunnableSequence(*own))
    form = AnswerForm(form="choice" if labelled else "number", max_tokens=1)
    return RunnableSequence(*shared, answer, reading(_OwnAnswers(who, form).read))


class _OwnAnswers:
    """Reads the answers of one chain, and knows whether it has given one that can be read."""

    def __init__(self, who: str, form: AnswerForm) -> None:
        self._who, self._form = who, form
        self._is_sound = False

    def read(self, entry: Inputs) -> Prediction:
        """Return the prediction that an answer stands for.

        Raises:
            AnswerTypeError: The first answer is of another type; a later one is its item's error.
            ValueError: See above, or an index is that of no choice.
        """
        answer = entry[_ANSWER]
        if isinstance(answer, str):
            answer = AIMessage(answer)
        if isinstance(answer, AIMessage):
            said = {"reply": answer, "choices": entry["choices"], "question": entry.get("question", "")}
            answer = read_reply(self._form, said)
        elif type(answer) is not bool and isinstance(answer, Integral):
            answer = _chosen(int(answer), len(entry["choices"]))
        if not isinstance(answer, Prediction):
            raise (ValueError if self._is_sound else AnswerTypeError)(
                f"{self._who} answered with a {type(answer).__name__}: an answer is a text, a message, the index of a "
                "choice, or a Prediction"
            )
        self._is_sound = True
        return answer


def _chosen(index: int, n_choices: int) -> Prediction:
    if not 0 <= index < n_choices:
        raise ValueError(f"choice {index} is none of the item's {n_choices}, which count from 0")
    return Prediction(choice=index, status="ok", rule="index")
