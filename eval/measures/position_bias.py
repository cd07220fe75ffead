"""Whether a system prefers a position among the choices, whatever stands there: a randomization test.

Per item the positions that it chose in, out comes a chi-square with its p-value and the position that it prefers.

To count how often each position was chosen, and compare that with how often it is right, would take an exam whose key
is uneven for a bias, or a good system's right answers for noise. So each item is compared only with what the item
itself could have shown had position meant nothing, all of it being equally likely:

- items with choices of their own, asked once: a wrong answer could have been in any position but the right one's;
- items asked with rotated choices: the positions chosen could all have been shifted by any number of places;
- items that all share their choices (labels), asked once: the choice and the target could have been exchanged. Label
  and position are then one thing, and the test is Stuart's and Maxwell's of marginal homogeneity: is a label chosen
  more often than it is right?
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from data.types import Frozen
from eval.measures.distributions import chi_square_tail

DRAWS = 20_000
SEED = 20240101
LEAST_EXPECTED = 5.0  # below it in any position, the chi-square distribution is no good guide (Cochran 1954)
_NEGLIGIBLE = 1e-9


class PositionTest(Frozen):
    """A system's positions, and what they would be without a preference.

    Attributes:
        counts: (n_positions,) how often each position was chosen.
        key: (n_positions,) how often it was right, of the trials that were answered.
        expected: (n_positions,) how often each would have been chosen, were position to mean nothing.
        statistic: Chi-square.
        df: Its degrees of freedom; 0 where nothing could have differed.
        p: One for all positions together.
        simulated: Whether p is of draws because a count is small, and not of the chi-square distribution.
        preferred: 0-based: the position chosen most in excess of what is expected.
    """

    counts: tuple[int, ...]
    key: tuple[int, ...]
    expected: tuple[float, ...]
    statistic: float
    df: int
    p: float
    simulated: bool
    preferred: int


def single_alternatives(target: int, choice: int, n_choices: int, *, labelled: bool) -> np.ndarray:
    """Return what an item asked once could have shown, (n_alternatives, n_choices), each row one position.

    Args:
        target: 0-based position of the right choice.
        choice: 0-based position chosen.
        n_choices: How many choices the item has.
        labelled: Whether all items share their choices.
    """
    positions = np.eye(n_choices)
    if choice == target:
        return positions[[choice]]
    if labelled:
        return positions[[choice, target]]
    return np.delete(positions, target, axis=0)


def rotated_alternatives(chosen: Sequence[int], n_choices: int) -> np.ndarray:
    """Return what an item asked in every rotation could have shown, (n_choices, n_choices): its counts, shifted.

    Args:
        chosen: 0-based positions, one for each trial that was answered.
        n_choices: How many choices the item has.
    """
    counts = np.bincount(np.asarray(chosen, dtype=np.int64), minlength=n_choices).astype(np.float64)
    return np.stack([np.roll(counts, shift) for shift in range(n_choices)])


def position_test(
    counts: Sequence[int],
    key: Sequence[int],
    alternatives: Sequence[np.ndarray],
    *,
    n_items: Sequence[int] | None = None,
) -> PositionTest:
    """Test whether the positions chosen are what they would be, did position mean nothing.

    With D the difference of the counts from their expectation and V its covariance, both summed over the items'
    alternatives, D' V^-1 D is chi-square distributed in large samples; in small ones, the same figure is computed for
    draws of an alternative for each item.

    Args:
        counts: (n_positions,) how often each position was chosen.
        key: (n_positions,) how often it was right.
        alternatives: For each item (n_alternatives, n_choices) as above, the observed one among them.
        n_items: How many items have each of the alternatives; None: each is of one.

    Raises:
        ValueError: There is no item.

    Source:
        Stuart 1955, Biometrika 42:412-416, and Maxwell 1970, British Journal of Psychiatry 116:651-655, for labels;
        Cochran 1954, Biometrics 10:417-451, on small expected counts; Phipson and Smyth 2010, Statistical Applications
        in Genetics and Molecular Biology 9(1), on p-values of draws, which are never 0.
    """
    if not alternatives:
        raise ValueError("no answers: there are no positions to test")
    kinds = _kinds(alternatives, n_items or [1] * len(alternatives), n_positions=len(counts))
    expected, covariance = _moments(kinds)
    inverse = np.linalg.pinv(covariance, hermitian=True)
    df = int(np.linalg.matrix_rank(covariance, hermitian=True))
    differences = np.asarray(counts, dtype=np.float64) - expected
    statistic = float(differences @ inverse @ differences)
    p, simulated = _p_value(statistic, df, kinds=kinds, expected=expected, inverse=inverse)
    spread = np.sqrt(np.maximum(np.diag(covariance), _NEGLIGIBLE))
    return PositionTest(
        counts=tuple(int(count) for count in counts),
        key=tuple(int(count) for count in key),
        expected=tuple(round(float(count), 6) for count in expected),
        statistic=round(statistic, 6),
        df=df,
        p=p,
        simulated=simulated,
        preferred=int(np.argmax(differences / spread)),
    )


def _kinds(
    alternatives: Sequence[np.ndarray], n_items: Sequence[int], *, n_positions: int
) -> list[tuple[int, np.ndarray]]:
    """Count the items that have the same alternatives; (n_alternatives, n_positions), few kinds for many items."""
    counts: Counter[tuple[int, bytes]] = Counter()
    for rows, n in zip(alternatives, n_items, strict=True):
        counts[len(rows), np.pad(rows, ((0, 0), (0, n_positions - rows.shape[1]))).tobytes()] += n
    return [(n, np.frombuffer(content).reshape(length, n_positions)) for (length, content), n in counts.items()]


def _moments(kinds: Sequence[tuple[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the expected counts, (n_positions,), and their covariance, (n_positions, n_positions)."""
    expected, covariance = 0.0, 0.0
    for n_items, rows in kinds:
        mean = rows.mean(axis=0)
        expected = expected + n_items * mean
        covariance = covariance + n_items * (rows.T @ rows / len(rows) - np.outer(mean, mean))
    return np.asarray(expected), np.asarray(covariance)


def _p_value(
    statistic: float, df: int, *, kinds: Sequence[tuple[int, np.ndarray]], expected: np.ndarray, inverse: np.ndarray
) -> tuple[float, bool]:
    """Return p, and whether it is of draws."""
    if df == 0:
        return 1.0, False
    if expected.min() < LEAST_EXPECTED:
        return _simulated_p(statistic, kinds, expected, inverse), True
    return chi_square_tail(statistic, df), False


def _simulated_p(
    statistic: float, kinds: Sequence[tuple[int, np.ndarray]], expected: np.ndarray, inverse: np.ndarray
) -> float:
    rng = np.random.default_rng(SEED)
    drawn = np.zeros((DRAWS, len(expected)))
    for n_items, rows in kinds:
        drawn += rng.multinomial(n_items, np.full(len(rows), 1 / len(rows)), size=DRAWS) @ rows
    differences = drawn - expected
    figures = np.einsum("ij,jk,ik->i", differences, inverse, differences)
    as_extreme = int((figures >= statistic - _NEGLIGIBLE * max(statistic, 1.0)).sum())
    return (as_extreme + 1) / (DRAWS + 1)
