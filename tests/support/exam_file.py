"""Exam files in the KICE format, as small as a test needs them."""

import json
from pathlib import Path
from typing import Any


def exam(n_passages: int = 2, per_passage: int = 5) -> list[dict[str, Any]]:
    """An exam whose points sum to 100 and whose answers walk through 1–5."""
    n = n_passages * per_passage
    return [
        {
            "id": f"p{passage}",
            "paragraph": f"{passage}번째 지문이다. 강물은 바다로 흐른다. 산은 높고 들은 넓다.",
            "problems": [
                {
                    "question": f"물음 {passage}-{number}. 윗글의 내용과 일치하는 것은?",
                    "choices": [f"{passage}-{number} 선택지 {choice}" for choice in range(1, 6)],
                    "answer": (passage * per_passage + number) % 5 + 1,
                    "score": 100 / n,
                }
                for number in range(per_passage)
            ],
        }
        for passage in range(n_passages)
    ]


def write_exam(folder: Path, content: Any = None, name: str = "2030_11_KICE.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(exam() if content is None else content, ensure_ascii=False), encoding="utf-8")
    return path
