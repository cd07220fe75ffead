"""The tasks of inspect-ai's logs."""

import json
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import choice, match
from inspect_ai.solver import generate, multiple_choice, system_message

HERE = Path(__file__).parent


def _rows(name: str) -> list[dict]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


@task
def questions() -> Task:
    samples = [
        Sample(id=row["id"], input=row["question"], choices=row["choices"], target=row["answer"])
        for row in _rows("questions.jsonl")
    ]
    return Task(dataset=MemoryDataset(samples), solver=multiple_choice(), scorer=choice())


@task
def nli() -> Task:
    samples = [
        Sample(id=n, input=f"{row['premise']}\n\n{row['hypothesis']}", target=row["label"])
        for n, row in enumerate(_rows("nli.jsonl"))
    ]
    asked = system_message("Does the second text follow? Answer entailment, neutral or contradiction.")
    return Task(dataset=MemoryDataset(samples), solver=[asked, generate()], scorer=match(location="any"))
