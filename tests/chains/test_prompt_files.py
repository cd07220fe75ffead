"""Prompts: every one that ships renders to its golden text, and a faulty one says where it is faulty."""

from pathlib import Path

import pytest
from langchain_core.documents import Document

from chains import choose, classify, kice, mnli
from chains.prompt_files import list_prompts, load_prompt
from chains.rungs import prompt_values
from data.common.errors import ConfigurationError
from tests.support.folders import GOLDEN_FOLDER

GOLDEN = GOLDEN_FOLDER / "prompts"
VARIABLES = {"choose": choose.VARIABLES, "classify": classify.VARIABLES, "kice": kice.VARIABLES, "mnli": mnli.VARIABLES}
KICE_INPUT = {
    "passage": "도서관은 조용하다.",
    "question": "윗글의 내용과 일치하는 것은?",
    "extra": "도서관의 하루",
    "choices": ["가", "나", "다", "라", "마"],
}
MNLI_INPUT = {
    "premise": "It rains.",
    "hypothesis": "It is dry.",
    "choices": ["entailment", "neutral", "contradiction"],
}
TEXT_INPUT = {
    "message": "I lost my card.",
    "choices": ["lost_card", "refund"],
    "documents": [
        Document(page_content="My card is gone.", metadata={"label": "lost_card"}),
        Document(page_content="Give my money back.", metadata={"label": "refund"}),
    ],
}
VALUES = {
    "classify": classify.prompt_values(
        {**TEXT_INPUT, "documents": [Document(page_content="my card is gone", metadata={"label": "card"})]},
        meanings={"refund": "wants money back"},
        example="Text: {text}",
    ),
    "choose": prompt_values(KICE_INPUT, shown="oracle", layout=choose.LAYOUT, language="ko"),
    "kice": prompt_values(KICE_INPUT, shown="oracle", layout=kice.LAYOUT, language="ko"),
    "mnli": mnli.render(MNLI_INPUT),
}
VALID = """
id: mine
benchmark: mnli
language: en
technique: mine
source: me
user: "{premise} / {hypothesis}"
answer: {form: choice, max_tokens: 8}
"""


@pytest.mark.parametrize("name", list_prompts())
def test_every_prompt_renders_to_its_golden_text(name: str, update_golden: bool) -> None:
    benchmark = name.split("/")[0]
    prompt = load_prompt(name, variables=VARIABLES[benchmark])
    assert prompt.id == name and prompt.benchmark == benchmark
    messages = prompt.template().invoke(VALUES[benchmark]).to_messages()
    text = "\n\n".join(f"[{message.type}]\n{message.text}" for message in messages) + "\n"
    golden = GOLDEN / f"{name.replace('/', '.')}.txt"
    if update_golden:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_a_prompt_without_its_benchmark_is_found() -> None:
    assert load_prompt("minimal", variables=kice.VARIABLES, benchmark="kice").id == "kice/minimal"


def test_a_prompt_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(VALID)
    prompt = load_prompt(str(path), variables=mnli.VARIABLES)
    assert prompt.variables == {"premise", "hypothesis"}
    assert len(prompt.sha256) == 64


def test_the_hash_follows_the_text(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(VALID)
    other.write_text(VALID.replace(" / ", " | "))
    assert (
        load_prompt(str(one), variables=mnli.VARIABLES).sha256
        != load_prompt(str(other), variables=mnli.VARIABLES).sha256
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            VALID.replace("{hypothesis}", "{answer}"),
            r"unknown variable \{answer\}; allowed: choices, hypothesis, premise",
        ),
        (VALID.replace("{hypothesis}", "{"), "user: .*double a brace"),
        (VALID.replace("{hypothesis}", "{hypothesis:>%%}"), "no plain variable"),
        (VALID.replace("{hypothesis}", "{premise.__class__}"), "no plain variable"),
        (VALID.replace("form: choice", "form: word"), "answer.form"),
        (VALID.replace("id: mine", "id: [mine"), "line [0-9]+: not YAML"),
        (VALID.replace("source: me", ""), "source: Field required"),
        (VALID + "temprature: 1\n", "temprature"),
        ("just text", "valid dictionary"),
        (VALID.replace("id: mine", "id: 2020-13-45"), "not YAML"),
    ],
)
def test_a_faulty_prompt_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "faulty.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        load_prompt(str(path), variables=mnli.VARIABLES)
    assert "\n" not in str(caught.value)


def test_an_unknown_prompt_names_the_known() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown prompt 'kice/minimum'.*kice/minimal"):
        load_prompt("kice/minimum", variables=kice.VARIABLES)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_prompt(str(tmp_path / "none.yaml"), variables=kice.VARIABLES)
