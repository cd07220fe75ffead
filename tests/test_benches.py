"""The comparisons' pure parts: turns and tables, what agreement is, and what the peers are asked."""

import io
import json
import math
import sys
from argparse import ArgumentTypeError
from http.client import HTTPConnection
from pathlib import Path

import pytest
import torch

from benches.__main__ import BENCHES
from benches.__main__ import main as run_benches
from benches.agreement import among_labels, compare_scores, lead
from benches.audit import plant
from benches.environments import peer_python, same_release
from benches.faults import CASES, Side
from benches.faults import row as faults_row
from benches.floors import drawing
from benches.harness import HARNESS, Questions, Worker, by_item, disagreement_rows, requests_of
from benches.items import FILES, bench_items, texts_to_answer
from benches.label_scoring import prompts_of
from benches.limit import count_work
from benches.table import Timed, count, in_turns, markdown_table, median_seconds, versions_line
from benches.throughput import Rates, latency_server, measured, repeated, write_pairs, write_samples
from benches.throughput import table as rates_table
from data.common.errors import MissingResourceError
from data.registry import load_items
from tests.support.folders import ROOT


def test_sides_run_in_turns_and_the_median_counts() -> None:
    order: list[str] = []
    seconds = iter([3.0, 1.0, 2.0])

    def one() -> Timed[str]:
        order.append("one")
        return Timed(next(seconds), "a")

    def other() -> Timed[str]:
        order.append("other")
        return Timed(1.0, "b")

    ones, others = in_turns("a bench", one, other, runs=3)
    assert order == ["one", "other"] * 3
    assert median_seconds(ones) == 2.0
    assert [run.answer for run in others] == ["b"] * 3


def test_the_limit_counts_products_and_the_weights_that_a_pass_reads() -> None:
    model = torch.nn.Sequential(torch.nn.Embedding(1000, 64), torch.nn.Linear(64, 32, bias=False))
    tied = torch.nn.Linear(64, 1000, bias=False)
    ids, n_threads = torch.zeros(10, dtype=torch.long), torch.get_num_threads()
    assert count_work(lambda: [model(ids) for _ in range(3)], model) == (3 * 2 * 10 * 64 * 32, 3 * 4 * 64 * 32)
    tied.weight = model[0].weight
    assert count_work(lambda: model(ids), torch.nn.ModuleList([model, tied])).weight_bytes == 0  # it was not called
    whole = torch.nn.Sequential(*model, torch.nn.Linear(32, 64, bias=False), tied)
    read = 4 * (2 * 64 * 32 + 64 * 1000)  # the table is the output's matrix too
    assert count_work(lambda: whole(ids), whole).weight_bytes == read
    assert torch.get_num_threads() == n_threads


def test_a_table_has_a_rule_and_refuses_a_row_that_is_too_short() -> None:
    assert markdown_table(["set", "ratio"], [["mnli", "2.0 x"]]) == "| set | ratio |\n| --- | ---: |\n| mnli | 2.0 x |"
    with pytest.raises(ValueError, match="2 columns but 1 cells"):
        markdown_table(["set", "ratio"], [["mnli"]])


def test_versions_name_both_sides() -> None:
    assert versions_line(["pytest"], {"lm_eval": "0.4.13"}).endswith(f"pytest {pytest.__version__}, lm_eval 0.4.13")


def test_a_constant_on_all_labels_of_an_item_is_no_difference() -> None:
    one = [[-1.0, -2.0, -3.0], [-4.0, -0.5, -2.0]]
    other = [[score - 7 for score in row] for row in one]
    agreement = compare_scores(one, other)
    assert agreement.n_same == agreement.n_items == 2
    assert agreement.largest_difference == pytest.approx(0, abs=1e-12)
    assert sum(map(math.exp, among_labels(one[0]))) == pytest.approx(1)


def test_disagreements_show_how_little_each_side_was_sure() -> None:
    agreement = compare_scores([[-1.0, -1.25], [-3.0, -1.0]], [[-1.5, -1.0], [-3.0, -1.0]])
    assert agreement.n_same == 1
    (found,) = agreement.disagreements
    assert (found.item, found.best, found.gaps) == (0, (0, 1), (0.25, 0.5))
    questions = Questions("a set", ["i0", "i1"], [], [["yes", "no"]] * 2, [])
    rows = disagreement_rows(agreement, questions, [[-2.0, -1.0]])
    assert rows == [["i0", "yes", "no", "no", "0.2500", "0.5000", "1.0000"]]


def test_ties_are_counted_and_the_first_label_wins_them() -> None:
    agreement = compare_scores([[-1.0, -1.0], [-1.0, -2.0]], [[-1.0, -1.5], [-1.0, -2.0]])
    assert agreement.ties == (1, 0)
    assert agreement.n_same == 2
    assert lead([-1.0]) == math.inf


def test_scores_of_other_labels_are_refused() -> None:
    for one, other in (([], []), ([[-1.0]], []), ([[-1.0, -2.0]], [[-1.0]])):
        with pytest.raises(ValueError, match="not the labels of the same items"):
            compare_scores(one, other)


def test_requests_pair_each_prompt_with_its_labels_and_scores_come_back_by_item() -> None:
    labels = [["yes", "no"], ["1", "2", "3"]]
    requests = requests_of(["p", "q"], labels)
    assert requests == [("p", "yes"), ("p", "no"), ("q", "1"), ("q", "2"), ("q", "3")]
    assert by_item([1, 2, 3, 4, 5], labels) == [[1, 2], [3, 4, 5]]


def test_the_harness_is_asked_through_a_file_and_answers_a_line(tmp_path: Path) -> None:
    lines = [{"versions": {"lm_eval": "0"}}, {"seconds": 1.5, "logprobs": [-1.0, -2.0]}]
    asked = io.StringIO()
    worker = Worker(asked, io.StringIO("".join(json.dumps(line) + "\n" for line in lines)), tmp_path / "requests.json")
    assert worker.versions == {"lm_eval": "0"}
    assert worker.score([("p", "예"), ("p", "아니요")]) == Timed(1.5, [-1.0, -2.0])
    assert json.loads(Path(asked.getvalue().strip()).read_text(encoding="utf-8")) == [["p", "예"], ["p", "아니요"]]
    with pytest.raises(MissingResourceError, match="ended before it answered"):
        worker.score([("p", "예")])


def test_an_environment_that_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path))
    monkeypatch.setattr("venv.create", lambda folder, **_: (made.append(folder), folder.mkdir(exist_ok=True)))
    monkeypatch.setattr("subprocess.run", lambda *_, **__: type("Done", (), {"returncode": 0}))
    for requirements in (["a==1"], ["a==1"], ["a==2"]):
        python = peer_python("peer", requirements)
    assert made == [tmp_path / "peers" / "peer"] * 2
    assert python.is_relative_to(made[0])
    assert HARNESS == "0.4.13"
    assert "+" not in same_release("torch")


def test_a_failed_installation_is_said_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path))
    monkeypatch.setattr("venv.create", lambda folder, **_: folder.mkdir(exist_ok=True))
    monkeypatch.setattr("subprocess.run", lambda *_, **__: type("Done", (), {"returncode": 1}))
    for _ in range(2):
        with pytest.raises(MissingResourceError, match="pip cannot install a==1"):
            peer_python("peer", ["a==1"])


def test_questions_to_answer_show_all_of_an_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNE_OR_PROMPT_DATA", raising=False)
    (title, mnli), (_, kice) = (bench_items(name, 3) for name in ("mnli", "kice"))
    assert title == "mnli sample"
    for text, item in zip(texts_to_answer("mnli", 3), mnli, strict=True):
        assert all(part in text for part in item.inputs.values())
    for text, item in zip(texts_to_answer("kice", 3), kice, strict=True):
        assert all(part in text for part in (item.inputs["question"], *item.choices))


def test_a_set_of_many_labels_is_a_file_of_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNE_OR_PROMPT_DATA", raising=False)
    with pytest.raises(MissingResourceError, match="TUNE_OR_PROMPT_DATA"):
        bench_items("banking77", 3)
    file = tmp_path / FILES["banking77"]
    file.parent.mkdir(parents=True)
    rows = [f"message number {k},label_{k % 5}" for k in range(40)]
    file.write_text("\n".join(["text,category", *rows]), encoding="utf-8")
    monkeypatch.setenv("TUNE_OR_PROMPT_DATA", str(tmp_path))
    title, items = bench_items("banking77", 3)
    conversations, labels = prompts_of(items)
    assert title == "banking77"
    for item, (_, asked), names in zip(items, conversations, labels, strict=True):
        assert item.inputs["text"] in asked.text
        assert all(f"- {name}\n" in asked.text for name in names)
        assert names == [f"label_{k}" for k in range(5)]


def test_names_are_listed_and_an_unknown_one_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_benches([]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*BENCHES]
    assert run_benches(["nosuch"]) == 2
    assert "unknown bench 'nosuch'" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many"])
def test_a_count_is_above_0(text: str) -> None:
    assert count("8") == 8
    with pytest.raises(ArgumentTypeError, match="no whole number above 0"):
        count(text)


def test_a_bench_without_its_data_says_which(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TUNE_OR_PROMPT_DATA", raising=False)
    assert run_benches(["bm25"]) == 3
    assert "TUNE_OR_PROMPT_DATA" in capsys.readouterr().err


def test_options_of_a_bench_without_any_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_benches(["label-scoring", "--items", "3"]) == 2
    assert "takes no options; leave --items 3 out" in capsys.readouterr().err


def test_the_throughput_server_keeps_connections_and_counts_what_it_answers() -> None:
    with latency_server(0.02) as server:
        address = server.base_url.removeprefix("http://").removesuffix("/v1")
        connection = HTTPConnection(address)
        for _ in range(3):
            connection.request("POST", "/v1/chat/completions", json.dumps({"messages": []}))
            assert json.load(connection.getresponse())["choices"][0]["message"]["content"] == "neutral"
        connection.close()
        seen = server.seen()
        assert (seen["requests"], seen["connections"]) == (3, 1)
        assert seen["seconds"] >= 3 * 0.02
        assert server.seen()["requests"] == 0


def test_both_sides_of_throughput_are_given_the_same_items_and_prompts(tmp_path: Path) -> None:
    items = repeated(load_items("mnli", split="sample", limit=3), 7)
    assert [item.id for item in items[:4]] == [item.id for item in [*items[3:6], items[6]]]
    pairs = load_items("mnli", split="validation_matched", path=write_pairs(items, tmp_path / "pairs.jsonl"))
    assert [(item.inputs, item.target) for item in pairs] == [(item.inputs, item.target) for item in items]
    samples = json.loads(write_samples(items, tmp_path / "samples.json").read_text(encoding="utf-8"))
    assert [sample["target"] for sample in samples] == [item.choices[item.target] for item in items]
    assert [message["role"] for message in samples[0]["input"]] == ["system", "user"]
    assert items[0].inputs["premise"] in samples[0]["input"][1]["content"]


def test_a_command_that_fails_or_asks_too_little_gives_no_rate(tmp_path: Path) -> None:
    with latency_server(0.0) as server:
        for command in (["-c", "raise SystemExit('no such thing')"], ["-c", "print('asked nothing')"]):
            with pytest.raises(MissingResourceError, match=r"after 0 of 5 answers: (no such thing|asked nothing)"):
                measured([sys.executable, *command], server, 5, cwd=tmp_path, log=tmp_path / "printed.txt")


def test_the_throughput_table_sets_the_less_cpu_above() -> None:
    rows = rates_table(Rates(300, 400, 3.0, 64), Rates(100, 100, 9.0, 65)).splitlines()
    assert [row.split(" | ")[-1] for row in rows[2:]] == ["3.0 x |", "4.0 x |", "3.0 x |", " |"]


def test_a_server_that_fails_tells_both_sides_the_same_and_who_comes_back_early() -> None:
    faults = {"too_many": 0.3, "server_error": 0.2}
    with latency_server(0.0, faults=faults, retry_after_s=30) as server:
        found = []
        for _ in range(2):
            connection = HTTPConnection(server.base_url.removeprefix("http://").removesuffix("/v1"))
            statuses = []
            for number in range(40):
                connection.request("POST", "/v1/chat/completions", json.dumps({"messages": [number]}))
                response = connection.getresponse()
                response.read()
                statuses.append(response.status)
            refused = statuses.index(429)
            connection.request("POST", "/v1/chat/completions", json.dumps({"messages": [refused]}))
            connection.getresponse().read()
            connection.close()
            found.append((statuses, server.seen()["early"]))
        assert found[0] == found[1]
        assert {200, 429, 500} == set(found[0][0])
        assert found[0][1] == 1


def test_the_faults_table_has_both_sides_medians_and_what_was_lost_or_paid_twice() -> None:
    ours = [Timed(seconds, Side(4.0, 2000, 0, 0.02, 0)) for seconds in (9.0, 6.0, 30.0)]
    theirs = [Timed(6.0, Side(5.0, 1961, 40, 0.1, 0)) for _ in range(3)]
    cells = faults_row(CASES["mix"], ours, theirs, runs=3)
    assert cells[1:] == [
        *("2000", "32", "3", "9.0", "6.0", "1.50 x", "0.80 x"),
        *("2.0 % / 10.0 %", "30000 / 23532", "0 / 120", "0 / 3", "0 / 0"),
    ]


def test_the_design_document_has_the_floors_as_the_imports_are() -> None:
    assert drawing() in (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def test_planted_labels_are_others_and_the_seed_says_which() -> None:
    items = load_items("mnli", split="sample", limit=30)
    planted = plant(items, 7, seed=3)
    changed = {n for n, (one, other) in enumerate(zip(items, planted.items, strict=True)) if one != other}
    assert changed == planted.places and len(changed) == 7
    assert planted == plant(items, 7, seed=3) != plant(items, 7, seed=4)
