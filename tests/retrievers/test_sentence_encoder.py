"""The sentence encoder reads many texts at once and gives each the vector that it has alone."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from retrievers.sentence_encoder import SentenceEncoder


@pytest.fixture(params=[1, 2])
def threads(request) -> Iterator[int]:
    """How many threads torch may use."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("whole_texts", [False, True])
def test_each_text_is_read_as_transformers_reads_it_alone(tmp_path, whole_texts, threads, monkeypatch) -> None:
    """A small random BERT in float32: the numbers of its plain forward pass, text by text and piece by piece."""
    backend = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "b": 5}, "[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]")
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=6,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=8,
        initializer_range=1.0,
    )
    BertModel(config).save_pretrained(tmp_path)
    monkeypatch.setattr("retrievers.sentence_encoder.multiplies_bf16", lambda device: False)
    monkeypatch.setattr("retrievers.sentence_encoder._TOKENS", 8)  # several batches
    encoder = SentenceEncoder(tmp_path, max_length=8, whole_texts=whole_texts)
    plain = BertModel.from_pretrained(tmp_path, attn_implementation="eager").eval()
    texts = ["a b", "b", "", "b a", "a b b a b a a b a b", "a b c"]
    for text, vector in zip(texts, encoder.encode(texts), strict=True):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        pieces = [ids[start : start + 6] for start in range(0, max(len(ids), 1), 6)][: None if whole_texts else 1]
        with torch.inference_mode():
            sums = [
                max(len(piece), 1) * plain(torch.tensor([[2, *piece, 3]])).last_hidden_state[0].mean(dim=0)
                for piece in pieces
            ]
        expected = torch.nn.functional.normalize(torch.stack(sums).sum(dim=0), dim=0).numpy()
        np.testing.assert_allclose(vector, expected, atol=1e-5)
    assert torch.get_num_threads() == threads
