"""Whether a server seems to cut prompts silently: prompts of different length that it counts as equally many tokens.

A system's `Answers` in; out comes what the longest prompts were all counted as, where they were. A
server whose context is too short for a prompt may drop a part of it (Ollama does), and tells nobody; but it counts
what it read.
"""

import numpy as np

from data.types import Frozen
from eval.measures.answers import Answers

# Prompts of so many different lengths, the longest of them longer than the shortest by this share over their number,
# have no count in common by chance, and least of all the highest: three that differ by 10 %, or thirty by 1 %.
FEWEST_LENGTHS = 3
LEAST_SPREAD = 0.3
# A server may leave a token or two of its room free, as where it cuts whole words: counts are taken for equal that
# differ by so many tokens, but never by more than this share, as short prompts of different length may by chance.
NEARLY_EQUAL = 2
NEARLY_EQUAL_SHARE = 0.01


class EqualCounts(Frozen):
    """Prompts that were all counted as equally many tokens, though they differ in length.

    Attributes:
        prompts: How many they are.
        counted: Prompts that were counted at all.
        tokens: What they were counted as: the highest count there is.
        fewest: The lowest count among them, a token or two less at most.
        shortest: Length of the shortest of them in characters.
        longest: Likewise of the longest.
    """

    prompts: int
    counted: int
    tokens: int
    fewest: int
    shortest: int
    longest: int


def equal_counts_of(answers: Answers, *, imported: bool) -> EqualCounts | None:
    """Find the prompts of a system that seem to have been cut; None where there may be none.

    Args:
        answers: The answers of one system.
        imported: The replies were recorded elsewhere, without their prompts: they are taken to grow with the item.
    """
    rows = answers.rows
    known = (rows["status"] >= 0) & (rows["tool_calls"] == 0)  # a prompt among tool calls is one turn of several
    # A reply from the response cache takes no tokens now; its prompt was counted when it was first sent.
    sent = answers.counted_with_saved("input_tokens")
    tokens = sent // np.maximum(rows["replies"], 1)
    shown = answers.items.characters[rows["item"]] if imported else rows["sent_characters"]
    counted = known & (tokens > 0) & (imported | (rows["messages"] > 0))
    return find_equal_counts(shown[counted], tokens[counted])


def find_equal_counts(characters: np.ndarray, tokens: np.ndarray) -> EqualCounts | None:
    """Find the prompts that share the highest count, or nearly, the longest of all among them.

    Args:
        characters: (n,) int, the length of each prompt.
        tokens: (n,) int, what the server says that it has.

    Returns:
        None where that may be chance.
    """
    if not len(tokens):
        return None
    highest = int(tokens.max())
    alike = tokens >= highest - min(NEARLY_EQUAL, int(NEARLY_EQUAL_SHARE * highest))
    lengths = characters[alike]
    shortest, longest, different = int(lengths.min()), int(characters.max()), len(np.unique(lengths))
    is_spread = different * (longest - shortest) >= LEAST_SPREAD * shortest
    if different < FEWEST_LENGTHS or lengths.max() < longest or not is_spread:
        return None
    return EqualCounts(
        prompts=len(lengths),
        counted=len(tokens),
        tokens=highest,
        fewest=int(tokens[alike].min()),
        shortest=shortest,
        longest=longest,
    )
