"""Whether a server seems to cut prompts silently: prompts of different length that it counts as equally many tokens.

A system's records with their texts in; out comes what the longest prompts were all counted as, where they were. A
server whose context is too short for a prompt may drop a part of it (Ollama does), and tells nobody; but it counts
what it read.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from data.types import Frozen, Record

# Prompts of so many different lengths, the longest of them longer than the shortest by this share over their number,
# have no count in common by chance, and least of all the highest: three that differ by 10 %, or thirty by 1 %.
FEWEST_LENGTHS = 3
LEAST_SPREAD = 0.3
# A server may leave a token or two of its room free, as where it cuts whole words: counts are taken for equal that
# differ by so many tokens, but never by more than this share, as short prompts of different length may by chance.
NEARLY_EQUAL = 2
NEARLY_EQUAL_SHARE = 0.01


class PromptCount(NamedTuple):
    """A prompt of an item: its length in characters, and how many tokens the server says that it has."""

    item_id: str
    characters: int
    tokens: int


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


def noting_prompts(records: Iterable[Record], counts: dict[str, PromptCount], *, imported: bool) -> Iterator[Record]:
    """Yield records as they come, and note of each what its prompt was counted as; of an item asked again the last.

    Args:
        records: Of one system, with their texts.
        counts: Where that is noted, by item id.
        imported: The replies were recorded elsewhere, without their prompts: they are taken to grow with the item.
    """
    for record in records:
        if (count := _count_prompt(record, imported=imported)) is not None:
            counts[record.item.id] = count
        yield record


def _count_prompt(record: Record, *, imported: bool) -> PromptCount | None:
    """Return how long an item's prompt is; None where nobody recorded or counted it, or it is one turn of several."""
    prediction, messages = record.prediction, record.messages or ()
    if prediction is None or any(message.tool_calls for message in messages):
        return None
    usage, item = prediction.usage, record.item
    # A reply from the response cache takes none now; its prompt was counted when it was first sent.
    tokens = (usage.get("input_tokens", 0) + usage.get("saved_input_tokens", 0)) // len(prediction.replies)
    shown = [*item.inputs.values(), *item.choices] if imported else [message.content for message in messages]
    return PromptCount(item.id, sum(map(len, shown)), tokens) if tokens and shown else None


def find_equal_counts(counts: Iterable[PromptCount]) -> EqualCounts | None:
    """Find the prompts that share the highest count, or nearly, the longest of all among them.

    None where that may be chance.
    """
    counted = sorted(counts, key=lambda one: one.characters)
    if not counted:
        return None
    highest = max(one.tokens for one in counted)
    least = highest - min(NEARLY_EQUAL, int(NEARLY_EQUAL_SHARE * highest))
    alike = [one for one in counted if one.tokens >= least]
    lengths = [one.characters for one in alike]
    shortest, longest, different = lengths[0], counted[-1].characters, len(set(lengths))
    is_spread = different * (longest - shortest) >= LEAST_SPREAD * shortest
    if different < FEWEST_LENGTHS or lengths[-1] < longest or not is_spread:
        return None
    return EqualCounts(
        prompts=len(alike),
        counted=len(counted),
        tokens=highest,
        fewest=min(one.tokens for one in alike),
        shortest=shortest,
        longest=longest,
    )
