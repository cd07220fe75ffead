"""How likely each label was, out of the log-probabilities that a provider returns beside the tokens of its reply.

A reply and the labels that it could have said in; their probabilities out, or None where the reply does not tell.
"""

import math
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate, permutations
from typing import Any

from langchain_core.messages import AIMessage

from chains.models.families import CLOSE_TAG

# What a request asks for; 20 is the most that OpenAI returns.
REQUEST = {"logprobs": True, "top_logprobs": 20}
# What may stand around a label in one token with it: " 3", "3번", "(3", "**3", "Answer: 3" is several tokens.
_AROUND = " \t\r\n*_`'\"()[]{}<>.,:;번"


def reply_probs(reply: AIMessage, labels: Sequence[str], choice: int | None) -> tuple[float, ...] | None:
    """Return how likely each label was where the reply says the one that was read from it.

    A label's probability is the sum over the tokens that begin it and no other label: "3", " 3", "③", "(3"; or "ent"
    of "entailment". Labels that are not among the listed tokens are less likely than the least likely of those, and
    have together no more than what the listed ones leave: they are given the lower of that bound and an even share of
    what is left, so that nothing that merely was not listed is called impossible. Then all are scaled to sum to 1.

    Args:
        reply: A message with OpenAI's "logprobs" in its response metadata.
        labels: (n_choices,) what stands for each choice.
        choice: The choice that was read from the reply's text; None: nothing was.

    Returns:
        (n_choices,) probabilities; None where the provider returned none, the label is not written in the reply (it was
        read from a synonym, say), one label begins another, so that a token does not tell them apart ("1", "10"), or
        what the server returned is no list of OpenAI's form.
    """
    held = reply.response_metadata.get("logprobs")
    content: Any = held.get("content") if isinstance(held, Mapping) else None
    tokens = _tokens(content)
    plain = [_plain(label) for label in labels]
    if choice is None or not tokens or any(one.startswith(other) for one, other in permutations(plain, 2)):
        return None
    for place in range(_after_thoughts(tokens), len(tokens)):
        said = _plain("".join(tokens[place:]))
        if _label_of(tokens[place], plain) == choice and re.match(rf"{re.escape(plain[choice])}(?!\d)", said):
            listed = _listed(content[place])
            return _over_labels(listed, plain) if listed else None
    return None


def _tokens(content: Any) -> list[str]:
    """Return the reply's tokens; [] where they are not all there, and so make no text."""
    entries = content if isinstance(content, list) else []
    tokens = [entry.get("token") if isinstance(entry, Mapping) else None for entry in entries]
    return [token for token in tokens if isinstance(token, str)] if all(isinstance(t, str) for t in tokens) else []


def _listed(entry: Mapping[str, Any]) -> dict[str, float]:
    """Return the probabilities of the tokens that are listed in one place; {} where they cannot be read.

    The -9999 that OpenAI writes for a token beyond the likeliest ones is none: the token counts as not listed.
    """
    others = entry.get("top_logprobs") or []
    listed = {}
    for one in [entry, *others] if isinstance(others, list) else [None]:
        token, logprob = (one.get("token"), one.get("logprob")) if isinstance(one, Mapping) else (None, None)
        if not isinstance(token, str) or not isinstance(logprob, int | float) or math.isnan(logprob):
            return {}
        listed[token] = math.exp(min(logprob, 0.0))
    return {token: probability for token, probability in listed.items() if probability > 0}


def _plain(text: str) -> str:
    """Return the text without what may stand around a label; circled and full-width digits become digits."""
    return unicodedata.normalize("NFKC", text).strip(_AROUND).casefold()


def _label_of(token: str, plain: Sequence[str]) -> int | None:
    """Return the one label that a token begins."""
    begun = _plain(token)
    found = [place for place, label in enumerate(plain) if begun and label.startswith(begun)]
    return found[0] if len(found) == 1 else None


def _after_thoughts(tokens: Sequence[str]) -> int:
    """Return the first token behind the model's thoughts, which its server may list with the answer."""
    end = "".join(tokens).rfind(CLOSE_TAG) + len(CLOSE_TAG)
    read = list(accumulate(map(len, tokens)))  # characters up to and with each token
    return bisect_left(read, end) + 1 if end >= len(CLOSE_TAG) else 0


def _over_labels(listed: Mapping[str, float], plain: Sequence[str]) -> tuple[float, ...] | None:
    mass = [0.0] * len(plain)
    for token, probability in listed.items():
        if (label := _label_of(token, plain)) is not None:
            mass[label] += probability
    if missing := [label for label, share in enumerate(mass) if share == 0]:
        left = max(1 - math.fsum(listed.values()), 0.0) / len(missing)
        for label in missing:
            mass[label] = min(min(listed.values()), left)
    total = math.fsum(mass)
    return tuple(share / total for share in mass) if total else None
