"""KICE: the Korean CSAT 국어 exam, 45 five-choice problems over passages, 2 or 3 points each, 100 in all.

In comes an exam file in the format of https://github.com/NomaDamas/KICE_slayer_AI_Korean; out come items.
A split is a year (its file is put into `DATA_DIR` by `python -m data fetch kice-<year>`), or "sample",
which ships; a path names any other exam in that format, or a folder of them.

Problems are numbered in order over the whole exam. The ids of the paragraphs do not number them: a
problem without a passage is filed under the paragraph before it (2019's "8-10" holds questions 8 to 11). It is
marked so in some years, and found by `data.standalone` in others.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.installation import checkout
from data.common.packaged import cache_dir
from data.common.terminal import say
from data.common.text import normalised
from data.formats import folder_contents, folder_kind
from data.kice_check import read_exam
from data.polarity import asks_for_the_wrong_one
from data.retrieval_sets import Query, RetrievalSet
from data.standalone import GRAMMAR, Paragraph, Problem, extra_text, standing_alone
from data.types import Benchmark, Item, Passage

_HERE = Path(__file__).parent
# Where fetched exams are: an installed package is no place for files, and goes when it is upgraded.
DATA_DIR = _HERE if checkout() else cache_dir() / "exams"
YEARS = tuple(str(year) for year in range(2015, 2025))

BENCHMARK = Benchmark(
    name="kice",
    title="KICE: the Korean CSAT 국어 exam, five choices, points of 100",
    language="ko",
    labels=None,
    splits=(*YEARS, "sample"),
    default_split="2023",
    sample_split="sample",
    source="https://github.com/NomaDamas/KICE_slayer_AI_Korean, each year at a pinned commit (data/download.py)",
    licence="exam text belongs to KICE (한국교육과정평가원) and is not part of this project; the sample is MIT",
    citation="Korea Institute for Curriculum and Evaluation; NomaDamas, KICE_slayer_AI_Korean, 2023",
)

# As KICE_slayer's own main.py reads `type`. On a single problem, 3 (GRAMMAR) marks a question of grammar or
# vocabulary under a passage of another section.
SECTIONS = {0: "독서", 1: "문학", 2: "화법과 작문·언어와 매체", GRAMMAR: "문법"}


def load(split: str | None, path: Path | None) -> list[Item]:
    """Return an exam's problems as items, in the order of the exam.

    Args:
        split: A year or "sample"; None is the default year. A path that is a file stands for itself.
        path: An exam file, or a folder that holds `<year>_11_KICE.json`; None is where `fetch` puts them.

    Raises:
        ConfigurationError: The file is not a usable exam; the message names the place and the fault.
        MissingResourceError: The exam is not there; the message names the command that fetches it.
    """
    file = _exam_file(split or BENCHMARK.default_split, path)
    exam = read_exam(file)
    alone = standing_alone(exam)
    if alone:
        numbers = f"question{'s' if len(alone) > 1 else ''} {', '.join(map(str, alone))}"
        said = 'filed under a passage of others and asked without it; "no_paragraph" in the file, 0 or 1, decides'
        say(f"{file}: {numbers} {said}")
    return list(_items(exam, _exam_name(file), alone=alone))


def load_question_retrieval(path: Path | None) -> RetrievalSet:
    """Return the retrieval set of `load_retrieval` with the question and its 보기 alone as queries, without choices."""
    return load_retrieval(path, name="kice-question", choices=False)


def load_retrieval(path: Path | None, *, name: str = "kice", choices: bool = True) -> RetrievalSet:
    """Return a retrieval set of exams: a problem asks for its own passage among those of all exams.

    Problems without a passage of their own are left out, for there is nothing they should find.

    Args:
        path: One exam file, or a folder whose `*.json` are pooled; None pools the fetched exams.
        name: The set's name.
        choices: Whether the choices are part of the query, as chains ask.

    Raises:
        ConfigurationError: A file is not a usable exam, two files are the same exam, or none has a passage.
        MissingResourceError: There is no exam.
    """
    items: list[Item] = []
    file_of: dict[str, Path] = {}
    for file in _pooled_files(path):
        for item in load(None, file):
            other = file_of.setdefault(item.group, file)
            if other != file:
                raise ConfigurationError(f"{other} and {file} are both exam '{_exam_name(file)}'; move one away")
            if item.inputs["passage"]:
                items.append(item)
    if not items:
        raise ConfigurationError(f"{path or DATA_DIR}: no problem has a passage, so there is nothing to look up")
    passages = {item.group: item.inputs["passage"] for item in items}
    texts = [_query_text(item, choices=choices) for item in items]
    return RetrievalSet(
        name=name,
        queries=tuple(
            Query(id=item.id, text=text, relevant=frozenset({item.group}))
            for item, text in zip(items, texts, strict=True)
        ),
        passages=tuple(Passage(id=group, text=text) for group, text in passages.items()),
    )


def exam_path(year: str, folder: Path = DATA_DIR) -> Path:
    """Return where a year's exam lies in a folder."""
    return folder / f"{year}_11_KICE.json"


def _exam_file(split: str, path: Path | None) -> Path:
    if path is not None and not path.is_dir():
        if not path.exists():
            raise MissingResourceError(f"there is no exam file or folder {path}")
        return path
    _check_folder(path)
    if split == BENCHMARK.sample_split:
        return (_HERE / "samples" if path is None else path) / "kice_sample.json"
    file = exam_path(split, path or DATA_DIR)
    if not file.is_file():
        missing = (
            f"the folder {path} has no exam of {split} ({file.name}); it holds {folder_contents(path)}" if path else ""
        )
        into = f" --to {path}" if path else ""
        raise MissingResourceError(
            f"{missing or f'the {split} exam is not at {file}'}; "
            f"run: python -m data fetch kice-{split}{into}, or pass --data FILE"
        )
    return file


def _pooled_files(path: Path | None) -> list[Path]:
    if path is not None and path.is_file():
        return [path]
    _check_folder(path)
    folder = path or DATA_DIR
    files = sorted(folder.glob("*.json"))
    if not files:
        held = f"; it holds {folder_contents(path)}" if path and path.is_dir() else ""
        raise MissingResourceError(
            f"there is no exam in {folder} (<year>_11_KICE.json){held}; "
            "run: python -m data fetch kice, or pass --data PATH"
        )
    return files


def _check_folder(path: Path | None) -> None:
    if path is not None and (kind := folder_kind(path)):
        raise ConfigurationError(f"{path} is {kind}, and no folder of exams (<year>_11_KICE.json); name one, or a file")


def _exam_name(file: Path) -> str:
    """Name an exam by the year and month of its file name, and a file named otherwise by its stem."""
    name = normalised(file.stem)  # a Mac writes it as NFD
    published = re.fullmatch(r"(\d{4})_(\d{2})_KICE", name)
    return f"{published[1]}-{published[2]}" if published else name.removeprefix("kice_")


def _items(exam: Sequence[Paragraph], name: str, *, alone: Sequence[int]) -> Iterator[Item]:
    number = 0
    for paragraph in exam:
        numbered = list(enumerate(paragraph["problems"], start=number + 1))
        number += len(numbered)
        with_passage = [n for n, problem in numbered if n not in alone and not problem.get("no_paragraph")]
        for n, problem in numbered:
            has_passage = n in with_passage
            # Problems on one passage stand and fall together; one without a passage stands alone.
            group = f"p{with_passage[0]:02}-{with_passage[-1]:02}" if has_passage else f"q{n:02}"
            yield Item(
                id=f"kice/{name}/q{n:02}",
                inputs={
                    "passage": paragraph["paragraph"].strip() if has_passage else "",
                    "question": problem["question"].strip(),
                    "extra": extra_text(problem),
                },
                choices=tuple(choice.strip() for choice in problem["choices"]),
                target=problem["answer"] - 1,
                weight=problem["score"],
                group=f"kice/{name}/{group}",
                tags=_tags(paragraph, problem),
            )


def _tags(paragraph: Paragraph, problem: Problem) -> tuple[str, ...]:
    tags = [f"section:{SECTIONS[paragraph['type']]}"] if "type" in paragraph else []
    if problem.get("type") == GRAMMAR:
        tags.append("grammar")
    tags.append("negative" if asks_for_the_wrong_one(problem["question"]) else "positive")
    if extra_text(problem):
        tags.append("보기")
    return tuple(tags)


def _query_text(item: Item, *, choices: bool) -> str:
    parts = (item.inputs["question"], item.inputs["extra"], *(item.choices if choices else ()))
    return "\n".join(text for text in parts if text)
