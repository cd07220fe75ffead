"""From labels' log-likelihoods to a distribution over them: as they are, per token, or beyond what needs no prompt.

A model prefers short labels, and labels that are likely anywhere. `Likelihood` says what is compared:

    sum     log p(label | prompt), the label's whole log-likelihood
    mean    that, divided by the label's tokens (Brown et al. 2020, arXiv:2005.14165, section 2.4)
    pmi     log p(label | prompt) − log p(label | an empty message): how much the prompt makes the label likelier
            (Holtzman et al. 2021, "Surface Form Competition", arXiv:2104.08315)
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

Likelihood = Literal["sum", "mean", "pmi"]


class LabelScores(NamedTuple):
    """How likely a model finds each label as its reply.

    Attributes:
        logprobs: (n_labels,), natural log-likelihood of each whole label; not normalised by its length.
        probs: (n_labels,), the softmax of what is compared: sums to 1 over the labels.
        input_tokens: The prompt's tokens, after the chat template.
    """

    logprobs: tuple[float, ...]
    probs: tuple[float, ...]
    input_tokens: int


def label_probs(
    logprobs: Sequence[float],
    likelihood: Likelihood,
    *,
    n_tokens: Sequence[int],
    unconditional: Sequence[float] | None,
) -> tuple[float, ...]:
    """Return the softmax over labels of what is compared.

    Args:
        logprobs: (n_labels,), behind the prompt.
        likelihood: What is compared.
        n_tokens: (n_labels,), of each label.
        unconditional: (n_labels,), log-likelihoods behind an empty message; for "pmi" alone.
    """
    compared = list(logprobs)
    if likelihood == "mean":
        compared = [logprob / n for logprob, n in zip(logprobs, n_tokens, strict=True)]
    elif likelihood == "pmi":
        if unconditional is None:
            raise ValueError("likelihood 'pmi' needs the labels' log-likelihoods behind an empty message")
        compared = [logprob - alone for logprob, alone in zip(logprobs, unconditional, strict=True)]
    best = max(compared)
    weights = [math.exp(value - best) for value in compared]
    return tuple(weight / sum(weights) for weight in weights)
