"""Prompts beyond a local model's context: what is cut, what is never cut, and what a run says of it."""

import json
import re

import pytest
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.retrievers import BaseRetriever

import chains.local.encoding
from chains.kice import kice_prompt, kice_rag
from chains.local.encoding import ContextLengthError, encode_labels, encode_prompt, render
from chains.local.passage_fit import cut_at
from chains.models.wrappers import Qwen
from chains.registry import CHAINS, parameters
from data.common.errors import ConfigurationError
from data.types import Item
from eval.cli.parser import main
from eval.execution.tracing import Transcript
from eval.measures.run_answers import read_answers
from eval.plan.suite import load_suite
from eval.report.render.html import render_html
from eval.report.render.markdown import render_markdown
from eval.report.render.terminal import terminal_table
from eval.report.summary import summarize
from eval.rundir.journal import read_records, records_path
from eval.rundir.manifest import read_manifest
from tests.support.exam_file import exam, write_exam
from tests.support.journaled_runs import answer, exam_item, failure, right_where, write_run
from tests.support.tiny_models import THINKING, make_tiny_model, tiny_chat_models

CONTEXT = 512
SCRIPTED = "tests.support.scripted_models:third"
WORDS = "the answer is a street where nobody was able to read the passage below. 글쓴이는 과학 기술을 설명하고 있다."
PROMPT = """id: kice/short
benchmark: kice
language: ko
technique: short
source: made up
system: Choose the best answer.
user: |
  {context}Q: {question}
  {extra}{choices}
  Answer:
answer:
  form: number
  reasoning: false
  max_tokens: 16
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return tiny_chat_models(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def prompt(tmp_path_factory):
    path = tmp_path_factory.mktemp("prompt") / "short.yaml"
    path.write_text(PROMPT, encoding="utf-8")
    return str(path)


def asked(passage: str, *, question: str = "Which of them is true?", number: int = 1) -> Item:
    return Item(
        id=f"kice/made-up/q{number:02}",
        inputs={"passage": passage, "question": question, "extra": "A man is playing the guitar."},
        choices=tuple(f"choice {letter}" for letter in "abcde"),
        target=0,
        group="g",
    )


def ask(chain, items):
    """Return what a chain answers, errors in their places, and the messages that reached the model."""
    seen = [Transcript() for _ in items]
    configs = [{"callbacks": [one]} for one in seen]
    answers = chain.batch([item.to_input() for item in items], configs, return_exceptions=True)
    return answers, [one.messages for one in seen]


def text_of(model, messages, options=None):
    turns = [{"system": SystemMessage, "user": HumanMessage}[one.role](one.content) for one in messages]
    return render(model.load(), turns, model.template_options if options is None else options)


def tokens_with(model, messages, user):
    """Return the conversation's tokens with another text of the user's."""
    text = text_of(model, [messages[0], messages[1].model_copy(update={"content": user})])
    return model.load().tokenizer.encode(text, add_special_tokens=False)


LONG = asked(" ".join([WORDS] * 30))


@pytest.mark.parametrize("kind", ["llama-byte-level", "llama-metaspace"])
def test_a_passage_that_is_too_long_is_cut_where_the_prompt_just_fits(tiny, prompt, kind, monkeypatch):
    model = tiny(kind)
    rendered = []
    monkeypatch.setattr(chains.local.encoding, "render", lambda *given: rendered.append(given) or render(*given))
    chain = kice_prompt(model, prompt=prompt, too_long="truncate-passage")
    (prediction,), (messages,) = ask(chain, [LONG])
    assert len(rendered) <= 8
    user = messages[-1].content
    passage, rest = user.split(" …", 1)
    assert f"[지문]\n{LONG.inputs['passage']}".startswith(passage)
    assert LONG.inputs["passage"][len(passage) - len("[지문]\n")].isspace()
    choices = "\n".join(f"{i}번: {choice}" for i, choice in enumerate(LONG.choices, start=1))
    assert rest == f"\n\nQ: Which of them is true?\n<보기>\nA man is playing the guitar.\n\n{choices}\nAnswer:"
    whole = user.replace(f"{passage} …", f"[지문]\n{LONG.inputs['passage']}")
    n_whole = len(tokens_with(model, messages, whole))
    assert prediction.status == "ok" and prediction.probs is not None
    assert prediction.usage["input_tokens"] + prediction.usage["cut_tokens"] == n_whole
    labels = [str(i) for i in range(1, 6)]
    encode_labels(model.load(), text_of(model, messages), labels)
    more = LONG.inputs["passage"][len(passage) - len("[지문]\n") :].split()[0]
    longer = user.replace(passage, f"{passage} {more}")
    assert len(tokens_with(model, messages, longer)) + 1 > CONTEXT  # with the label


@pytest.mark.parametrize("answering", ["score", "generate"])
def test_short_prompts_are_answered_as_without_the_policy(tiny, prompt, answering):
    items = [asked(WORDS, number=1), asked("", number=2)]
    answers, sent = zip(
        *(
            ask(kice_prompt(tiny(max_tokens=16), prompt=prompt, answering=answering, too_long=policy), items)
            for policy in ("error", "truncate-passage")
        ),
        strict=True,
    )
    assert answers[0] == answers[1] and sent[0] == sent[1]
    assert not any("cut_tokens" in prediction.usage for prediction in answers[0])


@pytest.mark.parametrize(("max_tokens", "room"), [(16, 16), (100_000, CONTEXT // 4)])
def test_a_reply_keeps_its_room_but_at_most_a_quarter_of_the_context(tiny, prompt, max_tokens, room):
    model = tiny(max_tokens=max_tokens)
    chain = kice_prompt(model, prompt=prompt, answering="generate", too_long="truncate-passage")
    (prediction,), (messages,) = ask(chain, [LONG])
    n_tokens = len(encode_prompt(model.load(), text_of(model, messages)))
    assert CONTEXT - room - 40 < n_tokens <= CONTEXT - room
    assert prediction.usage["input_tokens"] == n_tokens and prediction.usage["cut_tokens"] > 0


@pytest.mark.parametrize("answering", ["score", "generate"])
def test_what_does_not_fit_without_a_passage_is_that_item_s_error(tiny, prompt, answering):
    chain = kice_prompt(tiny(max_tokens=16), prompt=prompt, answering=answering, too_long="truncate-passage")
    beyond = asked(WORDS, question="guitar " * 600, number=2)
    (first, second, third), _ = ask(chain, [LONG, beyond, asked(WORDS, number=3)])
    assert isinstance(second, ContextLengthError)
    assert "cut_tokens" in first.usage and "cut_tokens" not in third.usage
    with pytest.raises(ContextLengthError):
        chain.invoke(beyond.to_input())
    assert isinstance(ask(kice_prompt(tiny(), prompt=prompt), [LONG])[0][0], ContextLengthError)


class ThreeDocuments(BaseRetriever):
    """Finds the same three documents for every question."""

    def _get_relevant_documents(self, query, *, run_manager):
        return [Document(id=f"d{i}", page_content=f"document {i}: {WORDS * 4}") for i in range(1, 4)]


def test_the_last_documents_go_first_and_leave_no_bare_title(tiny, prompt):
    chain = kice_rag(tiny(), ThreeDocuments(), prompt=prompt, too_long="truncate-passage")
    items = [asked("", question="Which is true? " * n, number=n) for n in range(1, 25)]
    predictions, sent = ask(chain, items)
    shown = set()
    for item, prediction, messages in zip(items, predictions, sent, strict=True):
        context, rest = messages[-1].content.split(" …\n\nQ: ")
        assert rest.startswith(item.inputs["question"])
        titles = re.findall(r"\[자료 (\d)\]\ndocument \1", context)
        assert titles == ["1", "2", "3"][: len(titles)] and context.count("[자료") == len(titles) > 0
        shown.add(len(titles))
        assert prediction.usage["cut_tokens"] > 0 and prediction.document_ids == ("d1", "d2", "d3")
    assert len(shown) > 1


def test_a_wrapper_s_own_words_are_counted(tmp_path, prompt):
    """Qwen scores behind an empty block of thoughts, which takes room too."""
    folder = make_tiny_model(tmp_path / "thinking", chat_template=THINKING)
    model = Qwen(str(folder), dtype="float32", device="cpu")
    (prediction,), (messages,) = ask(kice_prompt(model, prompt=prompt, too_long="truncate-passage"), [LONG])
    quiet, opening = model.for_scoring()
    assert opening
    text = text_of(quiet, messages)
    encode_labels(quiet.load(), text, [f"{opening}{i}" for i in range(1, 6)])
    n_tokens = len(quiet.load().tokenizer.encode(f"{text}{opening}1", add_special_tokens=False))
    assert CONTEXT - 25 < n_tokens <= CONTEXT
    assert prediction.usage["cut_tokens"] > 0


def test_the_cut_keeps_what_sets_the_passage_off():
    assert cut_at("[지문]\none two three\n\n", 8) == "[지문]\none …\n\n"
    assert cut_at("[지문]\none two three\n\n", 0) == ""


def test_a_model_that_runs_elsewhere_is_refused():
    from tests.support.scripted_models import third

    with pytest.raises(ConfigurationError, match=r"^too_long 'truncate-passage'[^\n]*tokenizer[^\n]*'error'$"):
        kice_prompt(third(), too_long="truncate-passage")


SAMPLE = ["run", "kice", "--split", "sample", "--model", SCRIPTED, "--too-long", "truncate-passage", "--chain"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([*SAMPLE, "kice-prompt"], "the model's own tokenizer"),
        ([*SAMPLE, "kice-closed-book"], "chain 'kice-closed-book' shows no passage"),
        (["run", "mnli", *SAMPLE[2:], "mnli-zero-shot"], "chain 'mnli-zero-shot' shows no passage"),
        ([*SAMPLE, "examples.own_chain:cautious"], "chain 'examples.own_chain:cautious' shows no passage"),
        (["run", "kice", "--split", "sample", "--baseline", "chance", "--too-long", "error"], "goes with a chain"),
    ],
)
def test_where_nothing_can_be_shortened_it_is_said_in_one_line(arguments, said, tmp_path, capsys):
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line
    assert not (tmp_path / "out").exists()


def test_every_chain_says_whether_it_has_a_passage():
    assert {name for name in CHAINS if "too_long" in parameters(name)} == {
        "choose",
        "choose-rag",
        "choose-shuffled",
        "kice-prompt",
        "kice-rag",
        "kice-shuffled",
    }


def test_a_run_from_the_command_line_keeps_and_reports_what_was_cut(tiny, prompt, tmp_path, capsys):
    content = exam(2, 2)
    content[0]["paragraph"] = WORDS * 30
    data, out = write_exam(tmp_path, content), tmp_path / "out"
    chain = ["run", "kice", "--data", str(data), "--chain", "kice-prompt", "--prompt", prompt]
    chain += ["--model", f"hf:{tiny().model_ref}"]
    assert main([*chain, "--too-long", "truncate-passage", "--out", str(out), "--json"]) == 0
    (system,) = json.loads(capsys.readouterr().out)["evaluations"][0]["systems"]
    manifest = read_manifest(out)
    (name,) = manifest.systems
    assert manifest.systems[name].too_long == "truncate-passage"
    cuts = [r.prediction.usage.get("cut_tokens", 0) for r in read_records(records_path(out, name)) if r.prediction]
    assert cuts[0] > 0 and cuts[1] > 0 and cuts[2:] == [0, 0]
    assert (system["shortened"], system["most_cut_tokens"]) == (2, max(cuts))
    assert main([*chain, "--resume", str(out)]) == 2
    assert "cannot be resumed: its suite, systems differ" in capsys.readouterr().err
    assert main([*chain, "--too-long", "truncate-passage", "--resume", str(out)]) == 0
    assert main([*chain, "--too-long", "truncate-passage", "--dry-run"]) == 0


def test_a_suite_names_the_policy(tmp_path):
    path = tmp_path / "suite.yaml"
    system = "{name: s, chain: kice-prompt, model: smollm2, too_long: %s}"
    text = f"name: mine\nevaluations:\n  - benchmark: kice\n    systems:\n      - {system}\n"
    path.write_text(text % "truncate-passage", encoding="utf-8")
    assert load_suite(str(path)).evaluations[0].systems[0].too_long == "truncate-passage"
    path.write_text(text % "shorten", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"line 5: .*too_long.*truncate-passage"):
        load_suite(str(path))


def test_every_report_says_how_many_prompts_were_shortened(tmp_path):
    cuts = {1: 40, 2: 812, 3: 7}

    def some(item):
        number = int(item.id[-2:])
        usage = {"input_tokens": 500, "output_tokens": 0} | ({"cut_tokens": cuts[number]} if number in cuts else {})
        return failure(item, "some") if number == 9 else answer(item, "some", right_where(item, True), usage=usage)

    def once(item):
        usage = {"input_tokens": 500, "output_tokens": 0} | ({"cut_tokens": 1} if item.id.endswith("05") else {})
        return answer(item, "once", 0, usage=usage)

    items = [exam_item(number) for number in range(1, 21)]
    run = write_run(
        tmp_path / "run", [("kice", items, {"some": some, "once": once, "none": lambda i: answer(i, "none", 0)})]
    )
    summary = summarize(run)
    said = [sentence for sentence in summary.conclusion if "shortened" in sentence]
    assert said == [
        "3 of 20 prompts of some were longer than the model's context (with room for the answer): "
        "their passages were shortened, by 812 tokens at most.",
        "1 of 20 prompts of once was longer than the model's context (with room for the answer): "
        "its passage was shortened, by 1 token.",
    ]
    for text in (render_markdown(summary), render_html(summary, read_answers(run)), terminal_table(summary)):
        assert "shortened, by 812" in " ".join(text.split())
