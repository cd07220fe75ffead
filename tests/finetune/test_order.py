"""The order of an epoch: every item, like lengths together, and a function of seed and epoch alone."""

from hypothesis import given
from hypothesis import strategies as st

from finetune.order import EpochOrder, epoch_order

LENGTHS = [5 + (37 * i) % 90 for i in range(1003)]


@given(
    n=st.integers(1, 200),
    batch_size=st.integers(1, 70),
    seed=st.integers(0, 9),
    epoch=st.integers(0, 3),
    by=st.booleans(),
)
def test_every_item_comes_and_every_step_is_full(n: int, batch_size: int, seed: int, epoch: int, by: bool) -> None:
    order = epoch_order(LENGTHS[:n], batch_size=batch_size, seed=seed, epoch=epoch, by_length=by)
    assert set(order) == set(range(n))
    assert len(order) % batch_size == 0 or len(order) == n < batch_size
    assert len(order) < n + batch_size
    assert len(EpochOrder(LENGTHS[:n], batch_size=batch_size, seed=seed, by_length=by)) == len(order)


def padded(order: list[int], batch_size: int) -> int:
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return sum(len(batch) * max(LENGTHS[item] for item in batch) for batch in batches)


def test_like_lengths_share_a_batch_and_the_longest_comes_first() -> None:
    grouped, shuffled = (epoch_order(LENGTHS, batch_size=16, seed=0, epoch=0, by_length=by) for by in (True, False))
    assert padded(grouped, 16) < 1.1 * sum(LENGTHS) < padded(shuffled, 16) / 1.5
    assert LENGTHS[grouped[0]] == max(LENGTHS)


def test_an_epoch_is_shown_the_same_again_and_the_next_differs() -> None:
    sampler = EpochOrder(LENGTHS, batch_size=16, seed=3, by_length=True)
    first = list(sampler)
    assert list(sampler) == first
    sampler.epoch = 1
    second = list(sampler)
    assert second != first
    # Not only the batches' order: their members are drawn anew.
    assert {frozenset(first[i : i + 16]) for i in range(0, 992, 16)} != {
        frozenset(second[i : i + 16]) for i in range(0, 992, 16)
    }
    assert epoch_order(LENGTHS, batch_size=16, seed=4, epoch=0, by_length=True) != first
