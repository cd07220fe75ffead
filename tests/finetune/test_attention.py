"""Attention by plain products gives what torch's fused kernel gives, in values and gradients."""

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from finetune import attention
from finetune.attention import NAME, SHORT, use_plain_attention_when_short


def tiny_bert(implementation: str = "sdpa") -> BertForSequenceClassification:
    """Return the same random BERT each time, without dropout."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=3,
        max_position_embeddings=SHORT,
        hidden_dropout_prob=0,
        attention_probs_dropout_prob=0,
        attn_implementation=implementation,
    )
    return BertForSequenceClassification(config).train()


@pytest.mark.parametrize("lengths", [(7, 7), (7, 4), (SHORT - 1, 3), (SHORT, 3)])
def test_the_values_and_gradients_are_those_of_the_fused_kernel(lengths: tuple[int, int]) -> None:
    longest = max(lengths)
    torch.manual_seed(1)
    batch = {
        "input_ids": torch.randint(5, 30, (2, longest)),
        "attention_mask": torch.tensor([[int(place < length) for place in range(longest)] for length in lengths]),
        "labels": torch.tensor([0, 2]),
    }
    fused, plain = tiny_bert(), tiny_bert()
    use_plain_attention_when_short(plain)
    outputs = [model(**batch) for model in (fused, plain)]
    for output in outputs:
        output.loss.backward()
    assert torch.allclose(outputs[0].logits, outputs[1].logits, atol=1e-6)
    for (name, weight), other in zip(fused.named_parameters(), plain.parameters(), strict=True):
        assert torch.allclose(weight.grad, other.grad, atol=1e-6), name


def test_long_texts_go_to_the_fused_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    fused = attention.sdpa_attention_forward

    def spy(module: torch.nn.Module, query: torch.Tensor, *args: object, **options: object) -> object:
        lengths.append(query.shape[2])
        return fused(module, query, *args, **options)

    monkeypatch.setattr(attention, "sdpa_attention_forward", spy)
    model = tiny_bert()
    use_plain_attention_when_short(model)
    for length in (SHORT - 1, SHORT):
        model(input_ids=torch.full((1, length), 5))
    assert lengths == [SHORT, SHORT]  # one for each layer


def test_an_attention_that_was_chosen_is_kept() -> None:
    model = tiny_bert("eager")
    use_plain_attention_when_short(model)
    assert model.config._attn_implementation == "eager"
    model = tiny_bert()
    use_plain_attention_when_short(model)
    assert model.config._attn_implementation == NAME
    assert "plain" not in model.config.to_json_string()  # other programs load the checkpoint
