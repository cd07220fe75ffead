"""Causal language models of two layers, made on the spot: random weights, a real tokenizer, a chat template.

What a random model says means nothing; that it says the same batched, cached and alone is what tests need.
"""

import json
import os
import random
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Refuses a system role and asks for alternating turns, as Mistral's first templates do.
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}[INST] {{ message['content'] }} [/INST]"
    "{% else %} {{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
# Opens a block of thought in front of the answer, as Qwen3 and SmallThinker do.
THINKING = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")

ARCHITECTURES = ("llama", "qwen2", "mistral")
SPECIAL_TOKENS = ["<|endoftext|>", "<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>"]
SENTENCES = [
    "A man is playing the guitar on a crowded street corner.",
    "Nobody in the room was able to answer the question.",
    "The answer is entailment, neutral or contradiction.",
    "Does the premise mean that the hypothesis is true?",
    "Read the passage below and choose the best answer: 1, 2, 3, 4 or 5.",
    "윗글에 대한 이해로 가장 적절한 것을 고르시오.",
    "다음 글을 읽고 물음에 답하시오. 정답은 3번이다.",
    "글쓴이는 과학 기술의 발전이 사회에 미치는 영향을 설명하고 있다.",
    "<보기>를 참고하여 작품을 감상한 내용으로 적절하지 않은 것은?",
] * 3

WORDS = "man guitar 정답은 3번 글쓴이는 answer the street question <보기> 감상한 내용 true 1 2 nobody 쀍"
# One of each kind that scoring and decoding have to treat alike.
KINDS = {
    "llama-byte-level": {},
    "llama-metaspace": {"tokenizer": "metaspace"},
    "qwen2-byte-level": {"architecture": "qwen2"},
    "mistral-metaspace": {"architecture": "mistral", "tokenizer": "metaspace", "chat_template": MISTRAL},
    "mistral-sliding": {"architecture": "mistral", "sliding_window": 24},
    "qwen2-half-sliding": {"architecture": "qwen2", "sliding_window": 24},
}


def tiny_chat_models(folder: Path):
    """Return a function that makes a LocalChatModel of one of KINDS, in float32, with weights saved in `folder`."""
    from chains.local.chat_model import LocalChatModel

    def model(kind: str = "llama-byte-level", **settings) -> LocalChatModel:
        if not (folder / kind).is_dir():
            make_tiny_model(folder / kind, **KINDS[kind])
        return LocalChatModel(model_ref=str(folder / kind), **{"dtype": "float32", "device": "cpu"} | settings)

    return model


def sentence(rng: random.Random, n_words: int) -> str:
    return " ".join(rng.choices(WORDS.split(), k=n_words))


def make_tiny_model(
    folder: Path,
    *,
    chat_template: str | None = CHATML,
    architecture: str = "llama",
    tokenizer: str = "byte-level",
    vocab_size: int = 512,
    max_position_embeddings: int = 512,
    sliding_window: int | None = None,
    seed: int = 0,
) -> Path:
    """Save a random model of two layers with its tokenizer, and return the folder.

    Args:
        folder: Where to save; made if it is not there.
        chat_template: In Jinja, such as CHATML, MISTRAL or THINKING; None for a model without one.
        architecture: One of ARCHITECTURES.
        tokenizer: "byte-level" (as GPT-2, Llama 3, Qwen) or "metaspace" (as SentencePiece: Llama 2, Mistral).
        vocab_size: Of the trained tokenizer.
        max_position_embeddings: The model's context, in tokens.
        sliding_window: Tokens that a layer sees, for mistral and qwen2; None for all of them.
        seed: Of the random weights.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if (architecture, tokenizer) == ("qwen2", "metaspace"):
        raise ValueError("transformers reads every qwen2 tokenizer as byte-level")
    tokens = _make_tokenizer(tokenizer, vocab_size)
    tokens.chat_template = chat_template
    config = _make_config(architecture, tokens, context=max_position_embeddings, sliding_window=sliding_window)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder


def _make_config(architecture, tokens, *, context, sliding_window):
    from transformers import AutoConfig

    sizes = {
        "vocab_size": len(tokens),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        # The usual 0.02 makes every logit of so small a model nearly the same, and every test on it pass.
        "initializer_range": 0.3,
        "tie_word_embeddings": False,
        "bos_token_id": tokens.bos_token_id,
        "eos_token_id": tokens.eos_token_id,
        "pad_token_id": tokens.pad_token_id,
    }
    if architecture == "mistral":
        sizes |= {"sliding_window": sliding_window, "head_dim": 8}
    if architecture == "qwen2" and sliding_window is not None:
        sizes |= {"sliding_window": sliding_window, "use_sliding_window": True, "max_window_layers": 1}
    return AutoConfig.for_model(architecture, **sizes)


def _make_tokenizer(kind: str, vocab_size: int):
    from transformers import PreTrainedTokenizerFast

    # The Rust threads of a trained tokenizer and a forked test worker do not go together.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    tokens = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=kind == "metaspace"))
    if kind == "byte-level":
        tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokens.decoder = decoders.ByteLevel()
        alphabet, special = pre_tokenizers.ByteLevel.alphabet(), SPECIAL_TOKENS
    else:
        tokens.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokens.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        alphabet, special = [], SPECIAL_TOKENS + [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokens.train_from_iterator(SENTENCES, trainer)
    if kind == "metaspace":
        # Byte tokens stand for bytes in text; only the trainer takes them for special ones.
        tokens = _with_plain_byte_tokens(tokens)
    chatml = kind == "byte-level"
    return PreTrainedTokenizerFast(
        tokenizer_object=tokens,
        bos_token="<s>",
        eos_token="<|im_end|>" if chatml else "</s>",
        unk_token="<unk>",
        pad_token="<|endoftext|>" if chatml else "<unk>",
        additional_special_tokens=["<|im_start|>"],
        clean_up_tokenization_spaces=False,
    )


def _with_plain_byte_tokens(tokens: Tokenizer) -> Tokenizer:
    state = json.loads(tokens.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if not token["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(state))
