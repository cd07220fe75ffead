"""Small runs made by hand, with an exam and labelled pairs, so that every figure of a report can be checked by eye."""

from collections.abc import Callable, Sequence
from pathlib import Path

from data.registry import fingerprint
from data.types import Item, Message, Passage, Prediction, Record
from eval.rundir.journal import Journal, records_path
from eval.rundir.manifest import Evaluation, Manifest, write_manifest

LABELS = ("entailment", "neutral", "contradiction")
SECTIONS = ("section:독서", "section:문학")


def exam_item(number: int) -> Item:
    """An exam item: four items share a passage, odd ones are worth 3 points, the key walks through 1-5."""
    passage = (number - 1) // 4
    return Item(
        id=f"kice/made-up/q{number:02}",
        inputs={
            "passage": f"{passage + 1}번째 지문이다. 사람들은 오래전부터 별을 보며 길을 찾았다.",
            "question": f"윗글의 내용과 일치하지 않는 것은? ({number})",
            "extra": "<보기> 별은 움직이지 않는다." if number % 5 == 0 else "",
        },
        choices=tuple(f"{number}번 문항의 선택지 {choice}" for choice in range(1, 6)),
        target=number % 5,
        weight=3.0 if number % 2 else 2.0,
        group=f"kice/made-up/p{passage + 1}",
        tags=(SECTIONS[passage % 2], *(("negative",) if number % 3 == 0 else ())),
    )


def pair_item(number: int) -> Item:
    return Item(
        id=f"mnli/made-up/{number}",
        inputs={"premise": f"The {number} boats left early.", "hypothesis": "No boat | left."},
        choices=LABELS,
        target=number % 3,
        group=f"mnli/made-up/premise{number}",
        tags=("genre:fiction" if number % 2 else "genre:travel",),
    )


def answer(item: Item, system: str, choice: int | None, **fields: object) -> Record:
    """A record of a system that chose; `fields` go into the prediction."""
    prediction = {"choice": choice, "status": "none" if choice is None else "ok", "rule": "", **fields}
    return Record(item=item, system=system, prediction=Prediction.model_validate(prediction), latency_s=0.25)


def failure(item: Item, system: str) -> Record:
    return Record(item=item, system=system, error="RateLimitError: too many requests", latency_s=1.0)


def right_where(item: Item, right: bool) -> int:
    return item.target if right else (item.target + 1) % len(item.choices)


def write_run(
    run_dir: Path,
    evaluations: Sequence[tuple[str, Sequence[Item], dict[str, Callable[[Item], Record | None]]]],
    *,
    descriptions: dict[str, dict[str, object]] | None = None,
    name: str = "made-up",
    hardware: dict[str, object] | None = None,
) -> Path:
    """Write a run's manifest and journals.

    Args:
        evaluations: (benchmark, items, {system: item to record, None for a missing one}).
        descriptions: What each system is; {"kind": "baseline"} where left out.
        hardware: The machine, as `data.common.hardware.hardware` gives it.
    """
    parts = [
        Evaluation(
            benchmark=benchmark,
            split="made-up",
            data=None,
            n_items=len(items),
            fingerprint=fingerprint(items),
            systems=tuple(systems),
        )
        for benchmark, items, systems in evaluations
    ]
    names = [system for part in parts for system in part.systems]
    run_dir.mkdir(parents=True, exist_ok=True)
    manifest = Manifest(
        name=name,
        suite={"name": name},
        evaluations=tuple(parts),
        systems={system: (descriptions or {}).get(system, {"kind": "baseline"}) for system in names},
        seed=7,
        git_commit="0123456789abcdef",
        git_dirty=False,
        versions={"torch": "2.13.0", "langchain-core": "1.7.0"},
        hardware=hardware,
        started_utc="2026-06-21T12:00:00Z",
    )
    write_manifest(run_dir, manifest)
    for _, items, systems in evaluations:
        for system, respond in systems.items():
            with Journal(records_path(run_dir, system)) as journal:
                for item in items:
                    record = respond(item)
                    if record is not None:
                        journal.append(record.model_copy(update={"system": system}))
    return run_dir


DEMO_SYSTEMS: dict[str, dict[str, object]] = {
    "always-3": {"kind": "baseline", "baseline": "always-3", "train_items": 0},
    "closed-book": {
        "kind": "chain", "chain": "kice-closed-book", "answering": "generate", "prompt": "kice/minimal",
        "prompt_sha256": "ab" * 32, "model": {"spec": "openai:made-up-model", "temperature": 0.0},
    },
    "rag": {
        "kind": "chain", "chain": "kice-rag", "answering": "generate", "prompt": "kice/minimal",
        "prompt_sha256": "ab" * 32, "model": {"spec": "smollm2", "device": "cpu"},
        "retriever": {"name": "hybrid", "embeddings": None, "k": 4},
    },
    "majority": {"kind": "baseline", "baseline": "majority", "train_items": 90},
    "tuned": {"kind": "finetune", "finetune": {"model": "all-MiniLM-L6-v2", "epochs": 2}, "train_items": 90},
}  # fmt: skip


def write_demo(run_dir: Path) -> Path:
    """The run that most tests read: an exam with three systems, pairs with two, a clear winner in each."""
    exam = [exam_item(number) for number in range(1, 21)]
    pairs = [pair_item(number) for number in range(60)]
    return write_run(
        run_dir,
        [
            ("kice", exam, {"always-3": _always_3, "closed-book": _closed_book, "rag": _rag}),
            ("mnli", pairs, {"majority": _majority, "tuned": _tuned}),
        ],
        descriptions=DEMO_SYSTEMS,
    )


def _always_3(item: Item) -> Record:
    return answer(item, "always-3", 2, rule="always-3")


def _closed_book(item: Item) -> Record:
    number = int(item.id[-2:])
    if number in (7, 16):
        return answer(item, "closed-book", None, raw="잘 모르겠습니다.")
    choice = right_where(item, number in (2, 3, 6, 9, 10, 18))
    usage = {"input_tokens": 120, "output_tokens": 8}
    return answer(item, "closed-book", choice, rule="final-answer", raw=f"정답: {choice + 1}", usage=usage)


def _rag(item: Item) -> Record:
    choice = right_where(item, int(item.id[-2:]) not in (4, 13, 18))
    found = Passage(id=item.group, text=item.inputs["passage"], score=1.5, chunk_id=f"{item.group}#0")
    record = answer(
        item,
        "rag",
        choice,
        rule="final-answer",
        raw=f"정답: {choice + 1}",
        document_ids=(f"{item.group}#0",),
        usage={"input_tokens": 900, "output_tokens": 8},
    )
    messages = (Message(role="system", content="국어 시험"), Message(role="user", content=item.inputs["question"]))
    return record.model_copy(update={"passages": (found,), "messages": messages})


def _majority(item: Item) -> Record:
    return answer(item, "majority", 0, rule="majority")


def _tuned(item: Item) -> Record:
    choice = right_where(item, int(item.id.rsplit("/", 1)[1]) % 5 != 0)
    return answer(item, "tuned", choice, rule="argmax", probs=tuple(0.8 if n == choice else 0.1 for n in range(3)))
