"""What a chain of the user's own may answer and is given: the project reads texts, messages and indices for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from data.types import Prediction
from eval.cli.parser import main
from eval.rundir.journal import read_records
from eval.rundir.manifest import read_manifest

BENCHMARK = """
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from data.types import Benchmark, Item, Prediction
import numpy as np

BENCHMARK = Benchmark(
    name="mine", title="mine", language="en", labels=("yes", "no"), splits=("test",), default_split="test",
    sample_split="test", source="me", licence="MIT", citation="me",
)

def load(split, path):
    return [Item(id=f"mine/{i}", inputs={"text": str(i), "body": f"b{i}", "passage": f"note {i}"},
                 choices=("yes", "no"), target=i % 2, group=str(i)) for i in range(20)]
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda name, text: (tmp_path / f"{name}.py").write_text(BENCHMARK + text) and None


def predictions(out: Path) -> dict[str, Prediction | None]:
    (journal,) = out.glob("*/records.jsonl")
    return {record.item.id: record.prediction for record in read_records(journal)}


@pytest.mark.parametrize(
    ("answer", "choice", "raw"),
    [
        ("'The answer is no.'", 1, "The answer is no."),
        ("AIMessage('yes', response_metadata={'finish_reason': 'stop'})", 0, "yes"),
        ("1", 1, ""),
        ("np.int64(0)", 0, ""),
        ("Prediction(choice=1, status='ok')", 1, ""),
        ("'I do not know'", None, "I do not know"),
    ],
)
def test_an_answer_is_a_text_a_message_an_index_or_a_prediction(
    own: Callable[[str, str], None], answer: str, choice: int | None, raw: str, request: pytest.FixtureRequest
) -> None:
    name = f"own_answers_{abs(hash(request.node.name))}"
    own(name, f"def chain():\n    return RunnableLambda(lambda entry: {answer})\n")
    assert main(["run", name, "--chain", f"{name}:chain", "--out", "out", "--limit", "3"]) == 0
    found = predictions(Path("out"))
    assert [(one.choice, one.raw) for one in found.values() if one] == [(choice, raw)] * 3


def test_a_plain_function_is_a_chain(own: Callable[[str, str], None]) -> None:
    own("own_function", "def chain():\n    return lambda entry: 'no' if entry['text'] == '1' else 'yes'\n")
    assert main(["run", "own_function", "--chain", "own_function:chain", "--out", "out", "--permute", "cyclic"]) == 0
    assert [one.choice for one in predictions(Path("out")).values() if one] == [0, 1, *[0] * 18]


@pytest.mark.parametrize("model", [(), ("--model", "tests.support.scripted_models:third")])
def test_an_answer_of_another_type_stops_the_run_in_one_line(
    own: Callable[[str, str], None], capsys: pytest.CaptureFixture[str], model: tuple[str, ...]
) -> None:
    name = f"own_type_{len(model)}"
    own(name, f"def chain({'model' if model else ''}):\n    return RunnableLambda(lambda entry: dict(choice=1))\n")
    asked = ["run", name, "--chain", f"{name}:chain", "--out", "out", "--max-concurrency", "1", *model]
    assert main(asked) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "answered with" in line]
    assert f"chain '{name}:chain' answered with a dict: an answer is a text, a message" in line
    assert "20 answers are missing" in line and not predictions(Path("out"))


def test_one_that_comes_after_others_is_its_item_s_error(own: Callable[[str, str], None]) -> None:
    own("own_later", "def chain():\n    return lambda entry: None if entry['text'] == '7' else 0\n")
    asked = ["run", "own_later", "--chain", "own_later:chain", "--out", "out", "--max-concurrency", "1"]
    assert main(asked) == 1
    found = predictions(Path("out"))
    assert [name for name, one in found.items() if one is None] == ["mine/7"] and len(found) == 20


def test_an_index_that_is_none_of_the_choices_is_its_item_s_error(own: Callable[[str, str], None]) -> None:
    own("own_index", "def chain():\n    return lambda entry: int(entry['text'])\n")
    assert main(["run", "own_index", "--chain", "own_index:chain", "--out", "out"]) == 1
    assert sum(one is None for one in predictions(Path("out")).values()) == 18


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("None", "chain 'own_made:chain' is of the type NoneType; give a Runnable"),
        ("FakeListChatModel(responses=['yes'])", "chain 'own_made:chain' is a chat model, which takes messages"),
    ],
)
def test_what_a_factory_makes_can_be_invoked(
    own: Callable[[str, str], None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    made: str,
    said: str,
) -> None:
    imported = "from langchain_core.language_models import FakeListChatModel\n"
    own("own_made", f"{imported}def chain(made=None):\n    return {made}\n")
    monkeypatch.delitem(__import__("sys").modules, "own_made", raising=False)
    assert main(["run", "own_made", "--chain", "own_made:chain", "--out", "out"]) == 2
    assert said in capsys.readouterr().err and not Path("out").exists()


DECLARES = """
SEEN = {}

def everything(model, retriever, passages, seed, labels, meanings, *, prompt, answering, too_long="error"):
    SEEN.update(locals())
    return lambda entry: labels.index("no")

def little(*, answering="generate", prompt="classify/zero-shot"):
    SEEN.update(answering=answering, prompt=prompt)
    return lambda entry: 0
"""


def test_a_factory_is_given_what_its_signature_declares(own: Callable[[str, str], None]) -> None:
    own("own_declares", DECLARES)
    import own_declares  # type: ignore[import-not-found]

    model = ["--model", "tests.support.scripted_models:third", "--retriever", "bm25", "-k", "2"]
    ways = ["--prompt", "classify/examples", "--answering", "generate", "--limit", "2"]
    run = ["run", "own_declares", "--chain"]
    assert main([*run, "own_declares:everything", *model, *ways, "--out", "out"]) == 0
    seen = own_declares.SEEN
    assert (seen["labels"], seen["answering"], seen["prompt"]) == (("yes", "no"), "generate", "classify/examples")
    assert seen["too_long"] == "error" and seen["retriever"].k == 2 and seen["seed"] == 0 and seen["meanings"] == {}
    assert {one.choice for one in predictions(Path("out")).values() if one} == {1}
    assert main([*run, "own_declares:little", "--answering", "logprobs", "--limit", "2", "--out", "little"]) == 0
    assert (seen["answering"], seen["prompt"]) == ("logprobs", "classify/zero-shot")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--too-long", "truncate-passage"), "shows no passage that can be shortened; leave --too-long out"),
        (("--examples", "random:2"), "shows no examples; leave --examples out"),
        (("--retriever", "bm25"), "takes no retriever"),
    ],
)
def test_what_it_does_not_declare_is_refused(
    own: Callable[[str, str], None], capsys: pytest.CaptureFixture[str], option: tuple[str, str], said: str
) -> None:
    own("own_little", DECLARES)
    assert main(["run", "own_little", "--chain", "own_little:little", *option, "--out", "out"]) == 2
    assert said in capsys.readouterr().err and not Path("out").exists()


PROMPT = """
id: mine
benchmark: classify
language: en
technique: mine
source: me
user: "{body} {subject} {labels}"
answer: {form: choice, max_tokens: 8}
"""


def test_a_prompt_s_unknown_variable_is_refused_with_the_fields_there_are(
    own: Callable[[str, str], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    own("own_fields", "")
    (tmp_path / "mine.yaml").write_text(PROMPT)
    model = ["--model", "tests.support.scripted_models:third", "--prompt", "mine.yaml"]
    asked = ["run", "own_fields", "--chain", "classify", *model, "--out", "out"]
    assert main(asked) == 2
    assert "unknown variable {subject}; allowed: body, labels, passage, text;" in capsys.readouterr().err
    assert not Path("out").exists()
    (tmp_path / "mine.yaml").write_text(PROMPT.replace("{subject}", "{text}"))
    assert main(asked) == 0
    (journal,) = Path("out").glob("*/records.jsonl")
    record = next(iter(read_records(journal)))
    assert record.messages and "b0 text: 0\nbody: b0" in record.messages[-1].content


def test_a_rung_is_declared(own: Callable[[str, str], None], tmp_path: Path) -> None:
    own("own_rungs", "def chain(model):\n    return lambda entry: entry['text']\n")
    model = "model: 'tests.support.scripted_models:third'"
    systems = "".join(
        f"      - {{name: {rung}, chain: 'own_rungs:chain', {model}, rung: {rung}}}\n"
        for rung in ("oracle", "closed-book")
    )
    (tmp_path / "s.yaml").write_text(f"name: s\nevaluations:\n  - benchmark: own_rungs\n    systems:\n{systems}")
    assert main(["run", "s.yaml", "--out", "out"]) == 0
    assert {name: about.rung for name, about in read_manifest(Path("out")).systems.items()} == {
        "oracle": "oracle",
        "closed-book": "closed-book",
    }
    assert "### Retrieval ladder" in Path("out/report.md").read_text(encoding="utf-8")
