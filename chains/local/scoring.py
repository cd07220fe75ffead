"""Log-likelihoods of labels behind prompts, computing what prompts share once.

Prompts are arranged by their token ids into a tree of shared beginnings (an instruction, an exam passage). Each
beginning passes through the model once; its keys and values then stand in front of whatever follows it, without
being copied for every row. A last pass on top of that reads the labels of more than one token, as one tree a prompt.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import torch

from chains.local.batching import forward, pad_left, run_batches
from chains.local.encoding import LabelledPrompt, common_length
from chains.local.label_tree import count_nodes, forward_trees, grow_tree, takes_trees
from chains.local.memory import MemoryLimitError, TokenBudget, memory_for, token_budget
from chains.local.prefix_cache import KeysValues, PrefixCache, keeps_everything
from chains.local.weights import LoadedModel

# A pass of its own costs about as much as computing so many tokens again.
MIN_SHARED_TOKENS = 16
MIN_SAVED_TOKENS = 128
# A token that is attended to costs about so much less than one that is computed.
ATTENDED_SHARE = 8
# Enough for a matrix product to run at full speed on a few cores, and little beside a long prefix.
CHUNK_TOKENS = 512
BUSY_TOKENS = 1024
# Of a tree: each node is compared with all others, whether it sees them or not.
TREE_NODES = 192
# Of a pass over trees on a CPU, where the logits of more only leave its caches.
LABEL_TOKENS = 2048


@dataclass
class Prefix:
    """A beginning that prompts share: tokens [start, end) of each of them.

    Attributes:
        start: Where the prefix around it ends.
        end: Where it ends itself; every prompt under it is longer.
        example: Index of a prompt that has it.
        rows: Indices of the prompts that share it and nothing more.
        children: The longer prefixes under it.
    """

    start: int
    end: int
    example: int
    rows: list[int] = field(default_factory=list)
    children: list["Prefix"] = field(default_factory=list)


def score_labels(
    loaded: LoadedModel, prompts: Sequence[LabelledPrompt], *, max_batch_tokens: int | None
) -> list[tuple[float, ...] | MemoryLimitError]:
    """Return log p(continuation | context) for every label of every prompt, in the order given.

    Args:
        loaded: The model.
        prompts: n of them; each may have labels of its own.
        max_batch_tokens: The most tokens of a forward pass; a single longer row makes a batch of its own. None for
            what fits into memory.

    Returns:
        n rows of log-likelihoods; an error in the place of a prompt that does not fit into memory even alone.
    """
    if not prompts:
        return []
    budget = token_budget(loaded, max_batch_tokens)
    label_tokens = min(budget.tokens, LABEL_TOKENS) if loaded.device.type == "cpu" else budget.tokens
    scoring = _Scoring(loaded, prompts, budget, replace(budget, tokens=label_tokens))
    longest_label = max(len(ids) for prompt in prompts for ids in prompt.continuations)
    if keeps_everything(loaded.model.config, max(len(prompt.context) for prompt in prompts) + longest_label):
        _score_prefix(scoring, plan_prefixes([prompt.context for prompt in prompts]), None)
    else:
        _score_whole(scoring)
    return [
        scoring.refused.get(row) or tuple(scoring.scores[row, label] for label in range(len(prompt.continuations)))
        for row, prompt in enumerate(prompts)
    ]


def plan_prefixes(contexts: Sequence[Sequence[int]]) -> Prefix:
    """Arrange token sequences into a tree of prefixes that are worth a pass of their own.

    Args:
        contexts: n sequences of token ids, none empty.

    Returns:
        The root, which is the empty prefix; every index 0..n-1 is in one prefix's `rows`.
    """
    order = sorted(range(len(contexts)), key=lambda row: tuple(contexts[row]))
    ordered = [contexts[row] for row in order]
    # A prompt's last token is never shared: what follows it is read from its own pass.
    shared = [0] + [min(common_length(one, other), len(one) - 1) for one, other in pairwise(ordered)]
    root = Prefix(0, 0, order[0])
    pending = [(0, len(order), root)]
    while pending:
        low, high, parent = pending.pop()
        if high - low == 1:
            parent.rows.append(order[low])
            continue
        end = min(shared[low + 1 : high])
        gained = end - parent.end
        if gained >= MIN_SHARED_TOKENS and gained * (high - low - 1) >= MIN_SAVED_TOKENS:
            child = Prefix(parent.end, end, order[low])
            parent.children.append(child)
            parent = child
        cuts = [low, *(k for k in range(low + 1, high) if shared[k] == end), high]
        pending.extend((left, right, parent) for left, right in pairwise(cuts))
    return root


@dataclass(frozen=True)
class _Scoring:
    """One call of `score_labels`: what it was given, and what has been found up to now.

    Attributes:
        loaded: The model.
        prompts: n of them.
        budget: The token budget of passes over prompts.
        label_budget: That of passes over labels alone: where these run out of memory, prompts need not be fewer.
        scores: Log-likelihoods by (row, label).
        refused: The rows that do not fit into memory.
    """

    loaded: LoadedModel
    prompts: Sequence[LabelledPrompt]
    budget: TokenBudget
    label_budget: TokenBudget
    scores: dict[tuple[int, int], float] = field(default_factory=dict)
    refused: dict[int, MemoryLimitError] = field(default_factory=dict)


def _score_prefix(scoring: _Scoring, prefix: Prefix, before: KeysValues | None) -> None:
    prompts = scoring.prompts
    if prefix.end > prefix.start:
        try:
            with memory_for(prefix.end, scoring.budget.device):
                before = _extend(scoring.loaded, prompts[prefix.example].context[prefix.start : prefix.end], before)
        except MemoryLimitError as error:
            scoring.refused.update(dict.fromkeys(_all_rows(prefix), MemoryLimitError(str(error))))
            return
    refused = run_batches(
        {row: len(prompts[row].context) - prefix.end for row in prefix.rows},
        scoring.budget,
        lambda batch: _score_batch(scoring, batch, before),
        extra=prefix.end // ATTENDED_SHARE,
        before=prefix.end,
        enough=BUSY_TOKENS,
    )
    scoring.refused.update(refused)
    for child in prefix.children:
        _score_prefix(scoring, child, before)


def _all_rows(prefix: Prefix) -> Iterator[int]:
    yield from prefix.rows
    for child in prefix.children:
        yield from _all_rows(child)


def _extend(loaded: LoadedModel, ids: Sequence[int], before: KeysValues | None) -> KeysValues:
    """Return the keys and values of `before` and of `ids` behind it.

    In chunks, because behind a prefix a kernel computes the whole rectangle of which causal attention needs half.
    """
    cache = PrefixCache(loaded.model.config, before)
    for start in range(0, len(ids), CHUNK_TOKENS):
        chunk = torch.tensor([ids[start : start + CHUNK_TOKENS]])
        mask = torch.ones(1, cache.get_seq_length() + chunk.shape[1], dtype=torch.long)
        forward(loaded, chunk, mask=mask, cache=cache)
    return cache.joined()


def _score_batch(scoring: _Scoring, batch: Sequence[int], before: KeysValues | None) -> None:
    """Score the labels of prompts that follow one prefix: first tokens, then the others on top of the cache."""
    loaded, prompts = scoring.loaded, scoring.prompts
    cache = PrefixCache(loaded.model.config, before)
    start = cache.get_seq_length()
    tokens, own_mask = pad_left([prompts[row].context[start:] for row in batch])  # (B, T)
    mask = torch.cat([own_mask.new_ones(len(batch), start), own_mask], dim=1)  # (B, P + T)
    first = forward(loaded, tokens, mask=mask, cache=cache, precise=True)[:, -1].log_softmax(dim=-1)  # (B, V)
    for place, row in enumerate(batch):
        picked = first[place, [ids[0] for ids in prompts[row].continuations]].tolist()
        scoring.scores.update({(row, label): logprob for label, logprob in enumerate(picked)})
    _score_rest(scoring, batch, mask, cache)


class _Branch(NamedTuple):
    """Labels of a prompt whose tokens after the first are read from one tree.

    Attributes:
        place: The prompt's row in its batch.
        labels: Indices of the labels, in the order of their tokens.
    """

    place: int
    labels: tuple[int, ...]


def _score_rest(scoring: _Scoring, batch: Sequence[int], mask: torch.Tensor, cache: PrefixCache) -> None:
    """Add to each label's score that of its tokens after the first, given mask (B, S) and cache of the prompts."""
    continuations = [scoring.prompts[row].continuations for row in batch]

    def tokens_of(branch: _Branch) -> list[tuple[int, ...]]:
        return [continuations[branch.place][label] for label in branch.labels]

    def add_rest(part: list[_Branch]) -> None:
        places = torch.tensor([branch.place for branch in part])
        trees = [grow_tree(tokens_of(branch)) for branch in part]
        logits = forward_trees(scoring.loaded, trees, mask=mask[places], cache=cache.selected(places))
        sums = [tree.sum_logprobs(rows[: len(tree.tokens)]) for tree, rows in zip(trees, logits, strict=True)]
        for branch, logprobs in zip(part, sums, strict=True):
            for label, logprob in zip(branch.labels, logprobs, strict=True):
                scoring.scores[batch[branch.place], label] += logprob

    pending = [_Branch(place, labels) for place, ids in enumerate(continuations) if (labels := _longer(ids))]
    most = min(TREE_NODES, scoring.label_budget.tokens) if pending and takes_trees(scoring.loaded) else 1
    before = mask.shape[1]
    while pending:
        sizes = {branch: count_nodes(tokens_of(branch)) for branch in pending}
        large = {branch: n for branch, n in sizes.items() if n > most and len(branch.labels) > 1}
        refused = run_batches(
            {branch: n for branch, n in sizes.items() if branch not in large},
            scoring.label_budget,
            add_rest,
            extra=before // ATTENDED_SHARE,
            before=before,
        )
        for branch, error in refused.items():
            if len(branch.labels) == 1:  # beside the caches of the batch's other prompts: it may fit beside its own
                raise error
        pending = [half for branch in (*large, *refused) for half in _halves(branch)]


def _longer(continuations: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the labels of more than one token, those with the same beginning beside one another."""
    longer = [label for label, ids in enumerate(continuations) if len(ids) > 1]
    return tuple(sorted(longer, key=lambda label: tuple(continuations[label])))


def _halves(branch: _Branch) -> list[_Branch]:
    middle = len(branch.labels) // 2
    return [_Branch(branch.place, branch.labels[:middle]), _Branch(branch.place, branch.labels[middle:])]


def _score_whole(scoring: _Scoring) -> None:
    """Score every label in a row of its own, for models whose layers forget: there is nothing to build upon."""
    prompts = scoring.prompts
    pairs = [(row, label) for row, prompt in enumerate(prompts) for label in range(len(prompt.continuations))]
    rows = {(row, label): prompts[row].context + prompts[row].continuations[label] for row, label in pairs}

    def score(batch: list[tuple[int, int]]) -> None:
        labels = [prompts[row].continuations[label] for row, label in batch]
        longest = max(map(len, labels))
        tokens, mask = pad_left([rows[pair][:-1] for pair in batch])
        targets = torch.tensor([[*[-1] * (longest - len(ids)), *ids] for ids in labels])  # (R, L)
        logits = forward(scoring.loaded, tokens, mask=mask, cache=None, n_logits=longest, precise=True)
        scoring.scores.update(zip(batch, _sum_logprobs(logits, targets), strict=True))

    lengths = {pair: len(ids) for pair, ids in rows.items()}
    refused = run_batches(lengths, scoring.budget, score, enough=BUSY_TOKENS)
    scoring.refused.update((row, error) for (row, _), error in refused.items())


def _sum_logprobs(logits: torch.Tensor, targets: torch.Tensor) -> list[float]:
    """Sum log p(target) over each row of logits (R, L, V) with targets (R, L), leaving out targets of -1."""
    targets = targets.to(logits.device)
    picked = logits.log_softmax(dim=-1).gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    sums: list[float] = picked.masked_fill(targets < 0, 0.0).sum(dim=-1).tolist()
    return sums
