"""A two-layer random DistilBERT with a WordPiece tokenizer, made on the spot, and a toy task it can learn.

The task: the hypothesis says "yes", "no" or "maybe", which is the label; the other words are noise.
"""

import json
import random
from pathlib import Path

from data.types import Item

LABELS = ("entailment", "neutral", "contradiction")
CUES = {"entailment": "yes", "neutral": "maybe", "contradiction": "no"}
NOISE = ("the", "a", "man", "woman", "dog", "walks", "sits", "red", "green", "house", "tree", "and", "on", "in")
MAX_POSITIONS = 64


def make_encoder(folder: Path, *, labels: tuple[str, ...] | None = None, positions: int = MAX_POSITIONS) -> Path:
    """Save the encoder to `folder`; with `labels`, a sequence classifier that has them in this order."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import DistilBertConfig, DistilBertForSequenceClassification, DistilBertModel, DistilBertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CUES.values(), *NOISE, *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys(words))}
    assert BertWordPieceTokenizer(vocab=vocabulary).encode("yes").tokens == ["[CLS]", "yes", "[SEP]"]
    DistilBertTokenizer(vocab=vocabulary, model_max_length=positions).save_pretrained(folder)
    config = DistilBertConfig(
        vocab_size=len(vocabulary),
        max_position_embeddings=positions,
        n_layers=2,
        n_heads=2,
        dim=32,
        hidden_dim=64,
        initializer_range=0.2,
    )
    torch.manual_seed(7)
    if labels is None:
        DistilBertModel(config).save_pretrained(folder)
    else:
        config.id2label = dict(enumerate(labels))
        config.label2id = {label: index for index, label in enumerate(labels)}
        DistilBertForSequenceClassification(config).save_pretrained(folder)
    return folder


def toy_items(n: int, *, seed: int, split: str = "train") -> list[Item]:
    """Return n items of the toy task, the labels in turn, the texts of 4 to 24 words."""
    draw = random.Random(seed)
    items = []
    for row in range(n):
        label = LABELS[row % len(LABELS)]
        premise = " ".join(draw.choices(NOISE, k=draw.randint(2, 18)))
        words = [*draw.choices(NOISE, k=draw.randint(1, 4)), CUES[label]]
        draw.shuffle(words)
        items.append(
            Item(
                id=f"toy/{split}/{row}",
                inputs={"premise": premise, "hypothesis": " ".join(words)},
                choices=LABELS,
                target=LABELS.index(label),
                group=f"toy/{row}",
                tags=(f"genre:{'odd' if row % 2 else 'even'}",),
            )
        )
    return items


def write_nli(folder: Path, **splits: tuple[int, int]) -> Path:
    """Write the toy task as NLI files in the layout that `--data` takes: split=(n, seed)."""
    for split, (n, seed) in splits.items():
        rows = [item.inputs | {"label": LABELS[item.target]} for item in toy_items(n, seed=seed)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def accuracy(targets, probs):
    """Stand in for `eval.measures.metrics.classification_metrics` where only the wiring is tested."""
    return {"accuracy": float((probs.argmax(axis=1) == targets).mean())}
