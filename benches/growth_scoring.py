"""Peak memory of local label scoring: `python -m benches.growth_scoring MODEL BUDGET CALL ITEMS` measures one case.

MODEL is a folder of `make_model`: random weights, so small that the items and not the model take the time, and wide
enough for a batch to show in memory. A prompt is words of MNLI's pairs in random order, so that no two begin alike and
the token budget alone decides what is computed at once. CALL items are asked in one call; their answers are dropped
before the next call, as a run drops them once they are journaled.
"""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from benches.items import bench_items
from benches.own_process import answer, measure
from data.common.hub import quiet_transformers

LABELS = ("true", "neither", "not true")
TEMPLATE = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
SIZES = {
    "hidden_size": 64,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}
WORDS = "words.txt"
FEW = 8


def make_model(folder: Path, *, seed: int = 0) -> Path:
    """Save a random chat model whose tokens are the words of MNLI's pairs, with those pairs; return the folder."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    _, items = bench_items("mnli", 1000)
    pairs = [" ".join(item.inputs.values()).split() for item in items]
    words = sorted({word for pair in [*pairs, *(label.split() for label in LABELS)] for word in pair})
    vocabulary = {word: number for number, word in enumerate(["<unk>", "<end>", *words])}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens, unk_token="<unk>", eos_token="<end>", pad_token="<end>", chat_template=TEMPLATE
    )
    config = AutoConfig.for_model("llama", vocab_size=len(vocabulary), eos_token_id=1, pad_token_id=1, **SIZES)
    with torch.random.fork_rng(), quiet_transformers():
        torch.manual_seed(seed)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    (folder / WORDS).write_text("\n".join(" ".join(pair) for pair in pairs), encoding="utf-8")
    return folder


def prompts(folder: Path, n: int) -> Iterator[str]:
    """Yield n prompts as long as MNLI's pairs, each of random words, one at a time: nothing holds them all."""
    pairs = [line.split() for line in (folder / WORDS).read_text(encoding="utf-8").splitlines()]
    words = sorted({word for pair in pairs for word in pair})
    for number in range(n):
        rng = random.Random(number)
        yield " ".join(rng.choices(words, k=len(pairs[number % len(pairs)])))


def main(arguments: Sequence[str]) -> None:
    """Measure one case and print its figures for `in_own_process`."""
    folder, (budget, call, n) = Path(arguments[0]), map(int, arguments[1:])
    answer(measure(lambda: prepare(folder, budget, call, FEW), lambda: prepare(folder, budget, call, n)))


def prepare(folder: Path, budget: int, call: int, n: int) -> Callable[[], object]:
    """Load the model and return the work of scoring n prompts, `call` at a time, within a token budget."""
    from langchain_core.messages import HumanMessage

    from chains.local.chat_model import LocalChatModel

    model = LocalChatModel(model_ref=str(folder), dtype="float32", device="cpu", max_batch_tokens=budget)
    model.load()

    def work() -> None:
        left = prompts(folder, n)
        while texts := list(islice(left, call)):
            model.score([[HumanMessage(text)] for text in texts], [LABELS] * len(texts))

    return work


if __name__ == "__main__":
    main(sys.argv[1:])
