"""A run whose every price is known from a toy price table, so that each amount can be computed by hand."""

import json
from pathlib import Path

from eval.measures.prices import PriceTable
from tests.support.journaled_runs import answer, pair_item, right_where, write_run

TABLE = PriceTable.model_validate(
    {
        "as_of": "2026-01-01",
        "source": "here",
        "models": {"openai:known": {"input": 1, "output": 2}},
        "machines": [
            {"match": "Toy CPU", "per": "cpu", "usd_per_hour": 0.36, "source": "there", "as_of": "2026-02-02"},
            {"match": "L4", "per": "gpu", "usd_per_hour": 3.6},
        ],
    }
)
TOY = {"cpu": "The toy cpu @ 1 GHz", "cpus": 2, "gpus": []}
FACTS = {"wall_s": 1800, "hardware": {**TOY, "cpus": 4}, "n": 500}
TUNED = {"kind": "finetune"}
API = {"kind": "chain", "chain": "mnli", "model": {"spec": "openai:known"}}


def priced_run(run_dir: Path, *, api="openai:known", card=True, hardware=TOY, prefix="") -> Path:
    """A classifier that was trained for half an hour, an API model and a baseline, over 10 pairs."""
    pairs = [pair_item(number) for number in range(10)]

    def right_below(name, limit, **fields):
        name = prefix + name
        return lambda item: answer(item, name, right_where(item, int(item.id.rsplit("/", 1)[1]) < limit), **fields)

    usage = {"input_tokens": 100, "output_tokens": 10}
    systems = {
        "tuned": right_below("tuned", 8),
        "prompted": right_below("prompted", 5, usage=usage),
        "majority": right_below("majority", 3),
    }
    descriptions = {
        "tuned": TUNED,
        "prompted": {**API, "model": {"spec": api}},
        "majority": {"kind": "baseline", "baseline": "majority", "train_items": 90},
    }
    systems = {prefix + name: respond for name, respond in systems.items()}
    descriptions = {prefix + name: description for name, description in descriptions.items()}
    run = write_run(run_dir, [("mnli", pairs, systems)], descriptions=descriptions, hardware=hardware)
    if card:
        folder = run / f"{prefix}tuned" / "checkpoint"
        folder.mkdir(parents=True)
        content = {"schema_version": 1, "wall_s": 1800, "hardware": FACTS["hardware"], "data": {"train": {"n": 500}}}
        (folder / "training_card.json").write_text(json.dumps(content), encoding="utf-8")
    return run


def toy_prices(folder: Path) -> Path:
    """Write the toy table as a file for TUNE_OR_PROMPT_PRICES."""
    path = folder / "prices.yaml"
    path.write_text(TABLE.model_dump_json(), encoding="utf-8")  # JSON is YAML
    return path
