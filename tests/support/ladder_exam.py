"""An exam whose passages say the answers, and a suite that asks it on every rung of the retrieval ladder."""

from pathlib import Path
from typing import Any

import yaml

from tests.support.exam_file import write_exam

SUBJECTS = ("고래", "화산", "한글", "비행기", "우주", "나무")
PER_PASSAGE = 3


def ladder_exam() -> list[dict[str, Any]]:
    """Six passages with three questions each, none answered by 5; a search for the third finds the next passage.

    The last passage has a problem besides that needs none.
    """
    content = []
    for place, subject in enumerate(SUBJECTS):
        numbers = [place * PER_PASSAGE + n + 1 for n in range(PER_PASSAGE)]
        problems = []
        for n, number in enumerate(numbers):
            about = SUBJECTS[(place + 1) % len(SUBJECTS)] if n == PER_PASSAGE - 1 else subject
            kind = "일치하지 않는" if n == 0 else "일치하는"
            problems.append(_problem(f"물음 {number}. {about}의 내용과 {kind} 것은?", about, answer=number % 4 + 1))
        answers = " ".join(f"{number}번 물음의 답은 {number % 4 + 1}이다." for number in numbers)
        content.append(
            {"id": subject, "type": place % 2, "paragraph": f"{subject}에 대한 글이다. {answers}", "problems": problems}
        )
    alone = _problem(f"물음 {len(SUBJECTS) * PER_PASSAGE + 1}. 옳은 것은?", "맞춤법", answer=5)
    content[-1]["problems"].append({**alone, "no_paragraph": 1})
    return content


def _problem(question: str, about: str, *, answer: int) -> dict[str, Any]:
    choices = [f"{about} {choice}" for choice in "가나다라마"]
    return {"question": question, "choices": choices, "answer": answer, "score": 2}


RUNGS: tuple[dict[str, Any], ...] = (
    {"name": "choices-only", "chain": "kice-choices-only"},
    {"name": "closed-book", "chain": "kice-closed-book"},
    {"name": "shuffled", "chain": "kice-shuffled"},
    {"name": "rag", "chain": "kice-rag", "retriever": "bm25", "k": 1},
    {"name": "oracle", "chain": "kice-prompt"},
)


def ladder_suite(folder: Path, *, model: str, leaving_out: str = "") -> Path:
    """Write the exam and a suite over it; return the suite's file."""
    exam = write_exam(folder, ladder_exam())
    systems = [{**rung, "model": model} for rung in RUNGS if rung["name"] != leaving_out]
    suite = {"name": "ladder-test", "evaluations": [{"benchmark": "kice", "data": str(exam), "systems": systems}]}
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(suite, allow_unicode=True), encoding="utf-8")
    return path
