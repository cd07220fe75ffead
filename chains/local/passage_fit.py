"""What becomes of a prompt that is longer than a local model's context: an error, or a shortened passage.

    render → FitPassage → template → model

Only the variable `context` (the item's passage, or the retrieved documents) is ever shortened: the question, the
choices and the instructions reach the model whole, or the item is an error. It loses its end, so that items which
share a passage go on sharing the beginning of their prompts, and of documents the worst found goes first.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableConfig, RunnableSerializable

from chains.models.specs import is_local
from chains.models.wrappers import FamilyChatModel
from chains.prompt_files import Prompt
from data.common.errors import ConfigurationError, ProjectError
from data.types import Inputs

if TYPE_CHECKING:
    from chains.local.chat_model import LocalChatModel
    from chains.local.weights import LoadedModel

TooLong = Literal["error", "truncate-passage"]
Variables = dict[str, str]

MARK = " …"  # stands where a passage was cut
# Behind a word, and behind a sentence of a language that is written without spaces.
_BOUNDARY = re.compile(r"(?<=\S)(?=\s)|(?<=[。！？])(?=\S)")
# "[자료 2]" on a line of its own: a cut there would leave a title without its text.
_TITLE = re.compile(r"^\[[^\]\n]*\]$", re.MULTILINE)


class FitPassage(RunnableSerializable[Inputs, Inputs]):
    """Shortens the passage of a prompt that is longer than the model's context, and says by how much.

    Input: the item's input with "variables", the prompt's. They come out with a shorter `context` where the whole
    conversation does not fit, beside "cut_tokens", the tokens by which it became shorter. Where it would not fit
    without any passage either, they come out as they were: the model says what is wrong with it, as it does without
    this step.

    Attributes:
        scored: Whether labels are scored, or a reply is generated: what the conversation must leave room for.
    """

    model: BaseChatModel
    prompt: Prompt
    scored: bool

    def invoke(self, input: Inputs, config: RunnableConfig | None = None, **kwargs: Any) -> Inputs:
        return self.batch([input], config, **kwargs)[0]

    def batch(
        self,
        inputs: list[Inputs],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Inputs]:
        space = _space(self.model, self.prompt, scored=self.scored)
        fitted: list[Any] = []
        for entry in inputs:
            try:
                fitted.append(self._fit(entry, space) if space else entry)
            except (ProjectError, ValueError) as error:  # of this item, as the model itself would say it
                if not return_exceptions:
                    raise
                fitted.append(error)
        return fitted

    def _fit(self, entry: Inputs, space: "_Space") -> Inputs:
        labels = self.prompt.labels(entry["choices"]) if self.scored else [""]
        context, cut_tokens = shorten(entry["variables"], labels, space)
        if not cut_tokens:
            return entry
        return {**entry, "variables": {**entry["variables"], "context": context}, "cut_tokens": cut_tokens}


def fit_passage(model: BaseChatModel, prompt: Prompt, *, scored: bool) -> FitPassage:
    """Make the step that keeps a prompt within a local model's context.

    Args:
        model: One that runs in this process: only its tokenizer is here to measure with.
        prompt: The prompt whose variables are fitted.
        scored: Labels are scored; otherwise a reply is generated.

    Raises:
        ConfigurationError: The model runs elsewhere.
    """
    if not is_local(model):
        raise ConfigurationError(
            "too_long 'truncate-passage' measures with the model's own tokenizer, which only a model in this process "
            "has (smollm2, hf:…); use one, or too_long 'error'"
        )
    return FitPassage(model=model, prompt=prompt, scored=scored)


class _Space(NamedTuple):
    """How much room a model's context has for a conversation, and how one is measured.

    Attributes:
        limit: The most tokens of a conversation with its label.
        measure: Takes the prompt's variables and n labels; returns the tokens of the conversation with each.
    """

    loaded: "LoadedModel"
    limit: int
    measure: Callable[[Variables, Sequence[str]], list[int]]


def _space(model: BaseChatModel, prompt: Prompt, *, scored: bool) -> _Space | None:
    """Return the room there is; None where the model's configuration names no limit.

    A reply is left the room that it may take, but at most a quarter of the context: the limit of a model that thinks
    can exceed the context, and most replies are far shorter, while what is cut out of the passage is lost for sure.
    """
    from chains.local.encoding import count_tokens, render

    local, opening = _asked_model(model, scored=scored)
    loaded, template = local.load(), prompt.template()
    if loaded.context_length is None:
        return None

    def count(variables: Variables, labels: Sequence[str]) -> list[int]:
        messages = template.format_messages(**variables)
        if isinstance(model, FamilyChatModel):
            messages = model.adapt(messages)
        text = render(loaded, messages, local.template_options)
        return count_tokens(loaded, [text + opening + label for label in labels])

    room = 0 if scored else min(local.max_tokens, loaded.context_length // 4)
    return _Space(loaded, loaded.context_length - room, count)


def _asked_model(model: BaseChatModel, *, scored: bool) -> "tuple[LocalChatModel, str]":
    """Return the model that is asked in the end, and what stands between the prompt and a label."""
    if not isinstance(model, FamilyChatModel):
        return model, ""  # type: ignore[return-value]  # as fit_passage has checked
    return model.for_scoring() if scored else (model.inner, "")  # type: ignore[return-value]  # the same


def shorten(variables: Variables, labels: Sequence[str], space: _Space) -> tuple[str, int]:
    """Cut the passage where the conversation just fits.

    The place is first guessed from the passage's own tokens and then found by steps of growing length and bisection:
    mostly with four measurements, whatever the passage's length.

    Args:
        variables: The prompt's, with `context`.
        labels: n texts that may follow the prompt.
        space: What there is room for.

    Returns:
        The passage, and by how many tokens the conversation became shorter: 0 where nothing was cut, because all of
        it fits or because what is around the passage does not.
    """
    from chains.local.encoding import count_tokens, token_ends

    context = variables["context"]
    counts = space.measure(variables, labels)
    whole = max(counts)
    longest = [labels[counts.index(whole)]]

    def count(passage: str) -> int:
        return space.measure({**variables, "context": passage}, longest)[0]

    if whole <= space.limit or (empty := count("")) > space.limit:
        return context, 0
    cuts = [0, *_boundaries(context)]
    affordable = space.limit - empty - sum(count_tokens(space.loaded, [MARK]))
    ends = token_ends(space.loaded, context)[: max(affordable, 0)]
    guess = bisect_right(cuts, ends[-1]) - 1 if ends else 0
    sizes = {0: empty}

    def fits(place: int) -> bool:
        sizes[place] = count(cut_at(context, cuts[place]))
        return sizes[place] <= space.limit

    best = _last_that_fits(fits, len(cuts), guess=guess)
    return cut_at(context, cuts[best]), whole - sizes[best]


def cut_at(context: str, position: int) -> str:
    """Return the passage up to a position with a mark behind it; what set it off from the question stays."""
    return context[:position] + MARK + context[len(context.rstrip()) :] if position else ""


def _boundaries(context: str) -> list[int]:
    """Return the positions where the passage may be cut, none of them within a title or right behind one."""
    within = {place for title in _TITLE.finditer(context) for place in range(title.start(), title.end() + 1)}
    places = (match.start() for match in _BOUNDARY.finditer(context.rstrip()))
    return [place for place in places if place not in within]


def _last_that_fits(fits: Callable[[int], bool], n: int, *, guess: int) -> int:
    """Return a place below n that fits although the next does not; 0 is known to fit, n not to."""
    low, high, step, place = 0, n, 1, max(guess, 1)
    while high - low > 1:
        if not low < place < high:
            place = (low + high) // 2
        if fits(place):
            low, place = place, place + step
        else:
            high, place = place, place - step
        step *= 2
    return low
