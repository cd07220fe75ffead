"""Batched replies against langchain-huggingface: `python -m benches generation [--items N] [--dtypes D,D]`.

Both sides answer the same questions with the same weights, dtype and chat template, greedily, in turns, in this
process: `LocalChatModel.batch` and `ChatHuggingFace.batch` over a `HuggingFacePipeline`. Replies end where the model
ends them, or at the limit. A side's tokens are counted in its replies' texts, by one tokenizer. In bfloat16 the same
prompt alone and in a batch may differ in the last bits, and then in words; float32 shows that nothing else differs.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

from benches.items import bench_items, texts_to_answer
from benches.table import RUNS, Timed, count, in_turns, markdown_table, median_seconds, timed, versions_line

ITEMS = 64
NEW_TOKENS = 64
DTYPES = "bfloat16,float32"


def main(arguments: Sequence[str] = ()) -> None:
    """Print the table."""
    options = _options(arguments)
    mnli, kice = (bench_items(name, (options.items + 1) // 2)[1] for name in ("mnli", "kice"))
    texts = texts_to_answer(mnli, kice, options.items)
    rows = [_compare(dtype, texts, options) for dtype in options.dtypes.split(",")]
    versions = versions_line(["torch", "transformers", "langchain-huggingface", "langchain-core"])
    print(f"SmolLM2-135M, {len(texts)} prompts, at most {options.new_tokens} new tokens, greedy; ", end="")
    print(f"median of {options.runs}; {versions}\n")
    columns = ["dtype", "ours, tokens/s", "ChatHuggingFace, tokens/s", "ratio", "tokens, ours / theirs", "same text"]
    print(markdown_table(columns, rows))


def chat_hugging_face(weights: str, *, dtype: str, new_tokens: int) -> Any:
    """Return LangChain's chat model over a pipeline, as its documentation builds it from a loaded model."""
    from langchain_huggingface import ChatHuggingFace, HuggingFacePipeline
    from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

    from data.hub import quiet_transformers

    with quiet_transformers():
        tokenizer = AutoTokenizer.from_pretrained(weights)
        model = AutoModelForCausalLM.from_pretrained(weights, dtype=dtype)
        generate = pipeline(
            "text-generation",
            model=model,
            tokenizer=tokenizer,
            max_new_tokens=new_tokens,
            do_sample=False,
            return_full_text=False,
            device="cpu",
        )
    return ChatHuggingFace(llm=HuggingFacePipeline(pipeline=generate), tokenizer=tokenizer)


def count_tokens(tokenizer: Any, texts: Sequence[str]) -> int:
    """Return how many tokens the texts are, without any that a tokenizer adds."""
    return sum(map(len, tokenizer(list(texts), add_special_tokens=False)["input_ids"]))


def _compare(dtype: str, texts: Sequence[str], options: argparse.Namespace) -> list[str]:
    from chains.local import LocalChatModel

    prompts: list[list[BaseMessage]] = [[HumanMessage(text)] for text in texts]
    ours = LocalChatModel(model_ref="smollm2", dtype=dtype, device="cpu", max_tokens=options.new_tokens)
    loaded = ours.load()
    theirs = chat_hugging_face(loaded.source, dtype=dtype, new_tokens=options.new_tokens)
    config = {"max_concurrency": options.concurrency} if options.concurrency else None

    def reply(model: Any, asked: Sequence[Any], config: Any = None) -> Timed[list[str]]:
        return timed(lambda: [message.text for message in model.batch(list(asked), config=config)])

    for model in (ours, theirs):  # the first pass of a model is slow, and is not what is compared
        reply(model, prompts[:1])
    mine, other = in_turns(
        dtype, lambda: reply(ours, prompts), lambda: reply(theirs, prompts, config), runs=options.runs
    )
    tokens = [count_tokens(loaded.tokenizer, side[-1].answer) for side in (mine, other)]
    fast, slow = tokens[0] / median_seconds(mine), tokens[1] / median_seconds(other)
    same = sum(a == b for a, b in zip(mine[-1].answer, other[-1].answer, strict=True))
    return [
        dtype,
        f"{fast:.1f}",
        f"{slow:.1f}",
        f"{fast / slow:.1f} x",
        f"{tokens[0]} / {tokens[1]}",
        f"{same} of {len(texts)}",
    ]


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches generation", description=str(__doc__).split("\n")[0])
    parser.add_argument("--items", type=count, default=ITEMS, help="prompts (default: %(default)s)")
    parser.add_argument("--new-tokens", type=count, default=NEW_TOKENS, help="of a reply (default: %(default)s)")
    parser.add_argument("--dtypes", default=DTYPES, help="comma-separated, a row each (default: %(default)s)")
    parser.add_argument(
        "--concurrency", type=count, help="threads of ChatHuggingFace.batch (default: LangChain's own choice)"
    )
    parser.add_argument("--runs", type=count, default=RUNS)
    return parser.parse_args(list(arguments))
