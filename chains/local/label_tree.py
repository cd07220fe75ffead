"""The tree of labels' tokens, so that what labels begin with in common is computed once and all stand in one row.

    card _ arrival                 card ┬ _ ─ arrival          a node: a token that others follow, computed once
    card _ not _ working     →          └ _ … not _ working    a node sees its prompt and its own ancestors alone,
    cash                           cash                        and its position is the prompt's length + its depth

A token that ends a label is no node: it is only read from the logits of the node before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from weakref import WeakKeyDictionary

import torch

from chains.local.batching import forward, positions_of
from chains.local.memory import is_out_of_memory
from chains.local.prefix_cache import PrefixCache
from chains.local.weights import LoadedModel

# Of the difference that a hidden token makes where it is seen, the most that counts as rounding where it is hidden.
ROUNDING_SHARE = 0.25
_takes_trees: WeakKeyDictionary[LoadedModel, bool] = WeakKeyDictionary()


@dataclass(frozen=True)
class LabelTree:
    """The tokens of labels after each one's first, as nodes to compute and next tokens to read.

    Attributes:
        tokens: (N,), the node's token.
        depths: (N,), how many ancestors it has.
        visible: (N, N) of bool, what each node sees of the others: its ancestors and itself.
        nodes: (K,), the node from which each token is read, over all labels.
        targets: (K,), the token that is read.
        owners: (K,), the index of the label that it belongs to.
        n_labels: How many labels there are.
    """

    tokens: torch.Tensor
    depths: torch.Tensor
    visible: torch.Tensor
    nodes: torch.Tensor
    targets: torch.Tensor
    owners: torch.Tensor
    n_labels: int

    @property
    def branches(self) -> bool:
        """Whether some node does not see all nodes before it."""
        return len(self.tokens) > int(self.depths.max()) + 1

    def sum_logprobs(self, logits: torch.Tensor) -> list[float]:
        """Return each label's log-likelihood after its first token, given the logits (N, V) of the nodes."""
        device = logits.device
        read = logits.log_softmax(dim=-1)[self.nodes.to(device), self.targets.to(device)]
        sums: list[float] = read.new_zeros(self.n_labels).index_add_(0, self.owners.to(device), read).tolist()
        return sums


def count_nodes(labels: Sequence[Sequence[int]]) -> int:
    """Return how many nodes the tree of these labels has."""
    return len({tuple(ids[:end]) for ids in labels for end in range(1, len(ids))})


def grow_tree(labels: Sequence[Sequence[int]]) -> LabelTree:
    """Arrange labels of at least two tokens each into a tree; every node comes after its parent."""
    places: dict[tuple[int, int], int] = {}
    nodes, targets, owners = [], [], []
    for label, ids in enumerate(labels):
        node = -1
        for token, target in pairwise(ids):
            node = places.setdefault((node, token), len(places))
            nodes.append(node)
            targets.append(target)
            owners.append(label)
    visible = torch.eye(len(places), dtype=torch.bool)
    for node, (parent, _) in enumerate(places):
        if parent >= 0:
            visible[node] |= visible[parent]
    return LabelTree(
        tokens=torch.tensor([token for _, token in places]),
        depths=visible.sum(dim=1) - 1,
        visible=visible,
        nodes=torch.tensor(nodes),
        targets=torch.tensor(targets),
        owners=torch.tensor(owners),
        n_labels=len(labels),
    )


def forward_trees(
    loaded: LoadedModel, trees: Sequence[LabelTree], *, mask: torch.Tensor, cache: PrefixCache
) -> torch.Tensor:
    """Return the logits (B, N, V) of the nodes of a tree for each row, behind what the cache holds.

    Args:
        loaded: The model; where a tree branches, one that `takes_trees`.
        trees: (B,), padded to the N nodes of the largest.
        mask: (B, S) over the cached slots: 1 for a token, 0 for padding.
        cache: The keys and values of the rows' prompts; it is extended in place.
    """
    longest = max(len(tree.tokens) for tree in trees)
    padded = [torch.nn.functional.pad(tree.tokens, (0, longest - len(tree.tokens))) for tree in trees]
    tokens = torch.stack(padded)  # (B, N)
    if not any(tree.branches for tree in trees):
        # No token of a row sees the padding behind it, so ones are right for all of it.
        causal = torch.cat([mask, torch.ones_like(tokens)], dim=1)
        return forward(loaded, tokens, mask=causal, cache=cache, n_logits=longest, precise=True)
    seen = torch.zeros(len(trees), longest, mask.shape[1] + longest, dtype=torch.bool)
    seen[:, :, : mask.shape[1]] = mask[:, None].bool()
    positions = mask.sum(dim=1, keepdim=True).repeat(1, longest)
    for row, tree in enumerate(trees):
        n_nodes = len(tree.tokens)
        seen[row, :n_nodes, mask.shape[1] : mask.shape[1] + n_nodes] = tree.visible
        positions[row, :n_nodes] += tree.depths
    own = additive(seen, loaded.dtype)
    return forward(loaded, tokens, mask=own, positions=positions, cache=cache, n_logits=longest, precise=True)


def additive(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the mask (B, 1, T, S) that a model adds to its attention scores, given what each token sees (B, T, S)."""
    mask = torch.zeros(seen.shape, dtype=dtype)
    return mask.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]


def takes_trees(loaded: LoadedModel) -> bool:
    """Say whether a model reads a mask between tokens, and positions, as a tree needs: tried once, on a few tokens.

    Some architectures ignore the one or the other, or refuse them; no name or flag of theirs says so.
    """
    if loaded not in _takes_trees:
        try:
            _takes_trees[loaded] = _reads_a_tree(loaded)
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            if is_out_of_memory(error):
                raise
            _takes_trees[loaded] = False
    return _takes_trees[loaded]


def _reads_a_tree(loaded: LoadedModel) -> bool:
    """Compare a token behind a prompt with itself beside a hidden one, beside a seen one, and at another position."""
    vocabulary = loaded.model.config.get_text_config().vocab_size
    prompt, (hidden, last) = torch.tensor([[vocabulary // 2, vocabulary // 3]]), (vocabulary // 5, vocabulary // 7)

    def logprobs(tokens: Sequence[int], seen: Sequence[Sequence[int]] | None, position: int) -> torch.Tensor:
        cache = PrefixCache(loaded.model.config)
        forward(loaded, prompt, mask=torch.ones(1, 2, dtype=torch.long), cache=cache)
        own = torch.ones(1, 2 + len(tokens), dtype=torch.long)
        mask = own if seen is None else additive(torch.tensor([seen]).bool(), loaded.dtype)
        positions = positions_of(own, len(tokens))
        positions[0, -1] = position
        found = forward(loaded, torch.tensor([tokens]), mask=mask, positions=positions, cache=cache)
        return found[0, -1].log_softmax(dim=-1)

    alone = logprobs([last], None, 2)
    tree = logprobs([hidden, last], [[1, 1, 1, 0], [1, 1, 0, 1]], 2)
    after = logprobs([hidden, last], None, 3)
    rounding, seen = (tree - alone).abs().mean(), (after - alone).abs().mean()
    return bool(rounding < ROUNDING_SHARE * seen) and not torch.equal(alone, logprobs([last], None, 3))
