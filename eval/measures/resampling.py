"""Resamples of whole clusters, as every bootstrap here draws them: items that share a passage are drawn together.

The randomization test is here too, for it gives signs to whole clusters likewise.

The columns and clusters of the items in, what each resample gives out. All draws are seeded; those of few clusters are
kept for the next score.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

Groups = Sequence[str] | np.ndarray  # (n,) the cluster of each item, by name, or by a number in the names' order
CHUNK = 64  # resamples at once, so that memory does not grow with their number
MOST_KEPT = 2**22  # draws that are kept for the next score; more are drawn again, which takes time and no memory
DRAWS, DRAWS_AT_ONCE = 20_000, 500  # of signs
ROUNDING = 1e-9  # sums that differ by less are the same


def number_clusters(groups: Groups) -> tuple[np.ndarray, int]:
    """Number the groups from 0 in sorted order, so that the order of the items does not change the draws."""
    if not len(groups):
        raise ValueError("no items: there is no interval")
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    return index, len(names)  # (n,)


def ratio_replicates(
    numerator: np.ndarray, denominator: np.ndarray, clusters: np.ndarray, *, resamples: int, seed: int
) -> np.ndarray:
    """Return sum(numerator) / sum(denominator) of each resample of clusters; (resamples,)."""
    columns = np.stack([numerator, denominator], axis=1)  # (n, 2)
    drawn = resampled_sums(columns, clusters, resamples=resamples, seed=seed)
    ratios: np.ndarray = drawn[:, 0] / drawn[:, 1]
    return ratios  # (resamples,)


def resampled_sums(columns: np.ndarray, clusters: np.ndarray, *, resamples: int, seed: int) -> np.ndarray:
    """Sum each column over the items of every resample of clusters; (resamples, n_columns).

    Source:
        Davison and Hinkley 1997, Bootstrap Methods and their Application, section 3.8 (clusters drawn whole).
    """
    n_clusters = int(clusters.max()) + 1
    sums = np.stack([np.bincount(clusters, weights=row) for row in columns.T], axis=1)
    single = sums.astype(np.float32)  # counts exactly up to 2**24
    drawn = [counts @ single for counts in drawn_chunks(n_clusters, resamples, seed)]
    return np.concatenate(drawn).astype(np.float64)


def drawn_chunks(n_clusters: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Return how often each resample draws each cluster, (CHUNK, n_clusters) at a time, as float32 to multiply by."""
    if n_clusters * resamples > MOST_KEPT:
        yield from _draw(n_clusters, resamples, seed)
        return
    draws = _kept_draws(n_clusters, resamples, seed)
    for start in range(0, resamples, CHUNK):
        yield draws[start : start + CHUNK].astype(np.float32)


@lru_cache(maxsize=2)
def _kept_draws(n_clusters: int, resamples: int, seed: int) -> np.ndarray:
    """How often each resample draws each cluster; (resamples, n_clusters), kept for every score of a run."""
    # No cluster is ever drawn 256 times.
    return np.concatenate([chunk.astype(np.uint8) for chunk in _draw(n_clusters, resamples, seed)])


def _draw(n_clusters: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, CHUNK):
        counts = np.empty((min(CHUNK, resamples - start), n_clusters), dtype=np.float32)
        for row in counts:
            row[:] = np.bincount(rng.integers(0, n_clusters, n_clusters), minlength=n_clusters)
        yield counts


def randomization_p(gained: np.ndarray, groups: Groups, *, seed: int) -> np.ndarray:
    """Return two-sided p-values: how often differences as large arise where each cluster's sign is a coin's toss.

    Args:
        gained: (n_queries, n_differences).
        groups: (n_queries,) the cluster of each query; queries about one passage change sign together.
        seed: Decides the draws.

    Returns:
        (n_differences,), never 0: the data count as one of the draws.

    Source:
        Smucker, Allan and Carterette 2007, CIKM, "A comparison of statistical significance tests for information
        retrieval evaluation" (the randomization test).
    """
    _, cluster = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.stack([np.bincount(cluster, weights=column) for column in gained.T], axis=1)  # (n_clusters, …)
    least = np.abs(sums.sum(axis=0)) - ROUNDING
    rng, as_large = np.random.default_rng(seed), np.ones(gained.shape[1])
    for _ in range(DRAWS // DRAWS_AT_ONCE):
        signs = rng.integers(0, 2, size=(DRAWS_AT_ONCE, len(sums))) * 2.0 - 1.0
        as_large += (np.abs(signs @ sums) >= least).sum(axis=0)
    return as_large / (DRAWS + 1)
