"""The decoding cache against transformers' own: the same keys and values, and no copy of all of them at each step."""

import pytest
import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from chains.local.generation import ROOM, DecodingCache
from tests.support.tiny_models import KINDS, tiny_chat_models


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_chat_models(tmp_path_factory.mktemp("tiny"))


@pytest.mark.parametrize("kind", KINDS)
def test_it_holds_what_transformers_cache_holds(tiny, kind):
    config = tiny(kind).load().model.config
    ours, theirs = DecodingCache(config), DynamicCache(config=config)
    random = torch.Generator().manual_seed(1)
    assert [type(layer) is DynamicLayer for layer in ours.layers] == [False] * len(ours.layers)
    rows = 4
    for n_tokens in (5, 1, 1, ROOM, 1, 3, 1):
        for layer in range(len(ours.layers)):
            keys, values = torch.randn(2, rows, 2, n_tokens, 8, generator=random)
            got, expected = ours.update(keys, values, layer), theirs.update(keys, values, layer)
            for one, other in zip(got, expected, strict=True):
                assert torch.equal(one, other)
        assert ours.get_seq_length() == theirs.get_seq_length()
        assert ours.get_mask_sizes(1, 0) == theirs.get_mask_sizes(1, 0)
        if n_tokens == 3:  # rows that have finished leave
            rows = 2
            for cache in (ours, theirs):
                cache.batch_select_indices(torch.tensor([0, 3]))


def test_a_step_copies_nothing_of_what_came_before(tiny):
    cache = DecodingCache(tiny().load().model.config)
    states = torch.ones(3, 2, 1, 8)
    cache.update(states, states, 0)
    places = set()
    for _ in range(ROOM):
        cache.update(states, states, 0)
        places.add(cache.layers[0].keys.data_ptr())
    assert len(places) == 1
