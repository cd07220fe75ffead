"""The README.md of a checkpoint: what a training came to on one page, for people."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from data.common.parsing import JsonObject
from finetune.encoders import ENCODER_NOTES

READS = {
    "mean": "the mean of all tokens",
    "max": "the maximum over all tokens",
    "pair": "the means of both texts and how they compare",
}


def card_page(card: Mapping[str, Any]) -> str:
    """Return the page of a training card."""
    initial, final, data = card["metrics"]["initial"], card["metrics"]["final"], card["data"]
    intervals = card["report"].get("intervals", {})
    rows = "\n".join(
        f"| {name} | {_figure(initial[name])} | {_figure(final[name])} | {_span(intervals.get(name))} |"
        for name in final
    )
    conclusion = "\n".join(f"- {sentence}" for sentence in card["conclusion"])
    machine = ", ".join(card["hardware"]["gpus"]) or f"{card['hardware']['cpu']}, {card['hardware']['cpus']} CPUs"
    dropped = data["train"]["left_out"]
    apart = f"; {dropped} training items were left out because they are among them" if dropped else ""
    notes = [ENCODER_NOTES.get(card["base_model"], "")]
    if taught := card.get("labels_from"):
        notes.append(f"The labels that it learnt are what `{taught['teacher']}` answered.")
    if card["settings"]["pooling"] != "cls":
        notes.append(f"Its head reads {READS[card['settings']['pooling']]}: load it with `load_classifier`.")
    return f"""---
library_name: transformers
pipeline_tag: text-classification
---
# {card["base_model"]} fine-tuned to tell {", ".join(card["labels"])} apart

It reads {" and ".join(f"`{field}`" for field in card["text_fields"])}, cut at {card["max_length"]} tokens. \
{" ".join(note for note in notes if note)}

## Conclusion

{conclusion}

| metric | before training | after {card["steps"]} steps | 95 % interval |
|---|---|---|---|
{rows}

Trained on {data["train"]["n"]} items (`{data["train"]["fingerprint"][:12]}`) and measured on {data["eval"]["n"]} others
(`{data["eval"]["fingerprint"][:12]}`{apart}) in {card["wall_s"]:.0f} s on {machine}, {card["precision"]}.

![Learning curves](curves.svg)

![ROC curve of each label](roc.svg)

## Settings

{_table("setting", card["settings"])}

What they come to in transformers' `TrainingArguments`, where these are not the defaults:

{_table("argument", _not_default(card["training_arguments"]))}

Answer items with it: `python -m finetune evaluate --checkpoint DIR`, or in Python
`load_classifier("DIR", labels={card["labels"]!r})`.
Everything above and all of `TrainingArguments`, for programs: `training_card.json`; each loss: `training_log.jsonl`.
"""


def _not_default(arguments: Mapping[str, Any]) -> JsonObject:
    """Return those of transformers' training arguments that have another value than its own default."""
    from transformers import TrainingArguments

    from finetune.arguments import effective_arguments

    # On the same device: a second one cannot be chosen in this process.
    own = effective_arguments(TrainingArguments(output_dir=".", use_cpu=arguments["use_cpu"]))
    return {name: value for name, value in arguments.items() if value != own[name]}


def _table(head: str, values: Mapping[str, Any]) -> str:
    rows = [f"| {name} | `{json.dumps(value, ensure_ascii=False)}` |" for name, value in values.items()]
    return "\n".join([f"| {head} | value |", "|---|---|", *rows])


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _span(interval: Sequence[float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}"
