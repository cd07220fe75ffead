"""Which is cheaper: every figure is computed by hand, and what is unknown stays unknown wherever it is shown."""

import json
import re

import pytest

from data.common.errors import ConfigurationError
from data.common.hardware import hardware
from data.common.table import display_width
from eval.__main__ import main
from eval.execution.runner import run
from eval.measures.costs import break_even, break_evens, query_usage, system_cost
from eval.measures.differences import Comparison
from eval.measures.prices import machine_parts, price_table
from eval.measures.run_answers import answers_of, read_answers
from eval.measures.training_costs import training_facts
from eval.plan.planning import plan
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from eval.report import write_report
from eval.report.render.terminal import WIDTH, terminal_table
from eval.report.run_costs import costs_of_runs
from eval.report.sections.cost_curve import COLOURS, lay_out
from eval.report.sections.costs import break_even_table, cost_table, pair_sentences
from eval.report.summary import Summary, summarize
from eval.rundir.description import Machine, TrainingFacts
from eval.rundir.manifest import read_manifest
from tests.support.described import described
from tests.support.folders import GOLDEN_FOLDER
from tests.support.journaled_runs import answer, pair_item, right_where
from tests.support.priced_runs import API, FACTS, TABLE, TOY, TUNED, priced_run, toy_prices
from tests.support.tiny_encoder import make_encoder, toy_items

GOLDEN = GOLDEN_FOLDER / "costs.md"
LOCAL = {"kind": "chain", "chain": "mnli", "model": {"spec": "smollm2", "device": "cpu"}}
USAGE = {"input_tokens": 1000, "output_tokens": 100}


def measured(*, correct=8, n=10, seconds=2.5, usage=USAGE, counted=10):
    """Answers to n pairs, of which the first are right, and the tokens of the first are reported."""
    each = {name: count // max(counted, 1) for name, count in usage.items()}
    pairs = [pair_item(number) for number in range(n)]
    records = [
        answer(pair, "s", right_where(pair, place < correct), usage=each if place < counted else {})
        for place, pair in enumerate(pairs)
    ]
    return answers_of(record.model_copy(update={"latency_s": seconds / max(n, 1)}) for record in records)


def cost(description, *, of=None, hardware=TOY, training=None, table=TABLE):
    facts = None
    if training is not None:  # also of more seconds than a manifest may hold
        facts = TrainingFacts(**{**training, "wall_s": None}).model_copy(update={"wall_s": training.get("wall_s")})
    of = measured() if of is None else of
    return system_cost(described(description), of, hardware=Machine(**(hardware or {})), training=facts, table=table)


def hourly(hardware, table):
    parts = machine_parts(Machine(**hardware), table=table)
    return None if parts is None else sum(part.usd_per_hour for part in parts)


@pytest.fixture
def prices(tmp_path, monkeypatch):
    """Make the toy table the one in force, as a user would."""
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(toy_prices(tmp_path)))


@pytest.mark.parametrize(
    ("hardware", "usd"),
    [
        ({"cpu": "The toy cpu @ 1 GHz", "cpus": 2, "gpus": []}, 0.72),
        ({"cpu": "The toy cpu @ 1 GHz", "cpus": 2}, 0.72),
        ({"cpu": "Toy CPU", "cpus": 2, "gpus": ["NVIDIA L4", "NVIDIA L4"]}, 7.2),  # priced by its GPUs
        ({"cpu": "Toy CPU", "cpus": 2, "gpus": ["NVIDIA L40S"]}, None),  # another GPU, and not its CPUs either
        ({"cpu": "Toy CPU", "cpus": 2, "gpus": ["NVIDIA L4", "Other"]}, None),
        ({"cpu": "Toy CPUs", "cpus": 2, "gpus": []}, None),
        ({"cpu": "Toy CPU", "cpus": None, "gpus": []}, None),
        ({}, None),
    ],
)
def test_a_machine_is_priced_by_its_gpus_else_by_its_cpus(hardware, usd):
    assert hourly(hardware, TABLE) == (None if usd is None else pytest.approx(usd))


def test_the_project_s_own_prices_have_a_source_and_a_date():
    table = price_table()
    assert table.labels_usd is None
    for machine in table.machines:
        assert re.search(r"^[\w.]+: https://\S+ \(2\d{3}-\d\d-\d\d\)$", table.cited(machine))
    for name in ("NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "NVIDIA A10G", "Tesla T4", "NVIDIA L40S"):
        assert hourly({"cpu": "", "cpus": 8, "gpus": [name]}, table) is not None
    assert hourly({"cpu": "AMD EPYC 9R14", "cpus": 2, "gpus": []}, table) == pytest.approx(0.10264)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("machines: [{match: x, per: core, usd_per_hour: 1}]", "machines.0.per"),
        ("machines: [{match: x, per: cpu, usd_per_hour: -1}]", "machines.0.usd_per_hour"),
        ("labels_usd: .nan", "labels_usd"),
        ("label_usd: 1", "label_usd"),
    ],
)
def test_a_fault_in_the_user_s_table_is_named_in_one_line(tmp_path, monkeypatch, line, said):
    path = tmp_path / "mine.yaml"
    path.write_text(f"as_of: '2026-01-01'\nsource: me\n{line}\n", encoding="utf-8")
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(path))
    with pytest.raises(ConfigurationError, match=re.escape(said)) as caught:
        price_table()
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_costs_by_hand():
    tuned = cost(TUNED, training=FACTS)  # half an hour of 4 CPUs at 0.36; queries of 0.25 s on 2 CPUs
    assert tuned.fixed_usd == pytest.approx(0.72)
    assert tuned.usd_per_query == pytest.approx(0.00005)
    assert tuned.usd_per_correct == pytest.approx(0.0000625)
    assert tuned.usd == pytest.approx(0.0005)
    assert (tuned.role, tuned.runs_on, tuned.sources) == ("trained", "2 × The toy cpu @ 1 GHz", ("there (2026-02-02)",))
    assert tuned.training.labels_usd is None
    api = cost(API, of=measured(correct=5))
    assert api.usd_per_query == pytest.approx(0.00012)
    assert api.usd_per_correct == pytest.approx(0.00024)
    assert (api.role, api.fixed_usd, api.runs_on, api.training) == ("prompted", 0, "API", None)
    assert cost(LOCAL).usd_per_query == pytest.approx(0.00005)


def test_labels_are_counted_only_at_a_known_price():
    table = TABLE.model_copy(update={"labels_usd": 0.1})
    tuned = cost(TUNED, training=FACTS, table=table)
    assert tuned.fixed_usd == pytest.approx(0.72 + 500 * 0.1)
    assert "labelling" not in cost_table({"tuned": tuned}).note
    assert "Not counted: labelling, people's time" in cost_table({"tuned": cost(TUNED, training=FACTS)}).note


def test_only_answers_whose_tokens_were_reported_make_the_mean():
    one = cost(API, of=measured(usage={"input_tokens": 400, "output_tokens": 40}, counted=4))
    assert one.usd_per_query == pytest.approx(0.00012)


@pytest.mark.parametrize(
    ("unreported", "counted"),
    [({}, 2), ({"input_tokens": 0, "output_tokens": 0}, 2), ({"input_tokens": 50}, 2), ({"output_tokens": 5}, 2)],
)
def test_an_answer_counts_only_with_both_its_token_counts(unreported, counted):
    whole = {"input_tokens": 100, "output_tokens": 10}
    items = [pair_item(number) for number in range(3)]
    usages = (whole, unreported, whole)
    found = answers_of(answer(i, "s", 0, usage=usage) for i, usage in zip(items, usages, strict=True))
    assert query_usage(found) == ({"input_tokens": 200, "output_tokens": 20}, counted)
    assert cost(API, of=found).usd_per_query == pytest.approx(0.00012)
    none = cost(API, of=answers_of([answer(items[0], "s", 0, usage=unreported)]))
    assert (none.usd_per_query, none.note) == (None, "no token counts were reported")


@pytest.mark.parametrize(
    ("retriever", "note"),
    [
        (
            {"name": "dense", "embeddings": "openai:e", "k": 4},
            "what the embeddings openai:e of a query cost is not known",
        ),
        ({"name": "dense", "embeddings": "mine:make", "k": 4}, "what embeddings of your own call is not known"),
        ({"name": "mine:search", "embeddings": None, "k": 4}, "what a retriever of your own calls is not known"),
        ({"name": "bm25+mine:step=2", "embeddings": None, "k": 4}, "what a retriever of your own calls is not known"),
        ({"name": "bm25+rerank=mine:encoder", "embeddings": None}, "what a retriever of your own calls is not known"),
        ({"name": "dense", "embeddings": "hf:some/model", "k": 4}, ""),
        ({"name": "hybrid", "embeddings": None, "k": 4}, ""),
        ({"name": "hybrid+rerank=hf:some/model+mmr=0.5", "embeddings": None, "k": 4}, ""),
    ],
)
@pytest.mark.parametrize("chain", [API, LOCAL])
def test_what_looking_up_costs_elsewhere_is_unknown(chain, retriever, note):
    one = cost({**chain, "retriever": retriever})
    assert (one.usd_per_query is None, one.note) == (bool(note), note)


def test_a_system_pays_for_the_one_gpu_that_it_used():
    hardware = {**TOY, "gpus": ["NVIDIA L4", "Other", "NVIDIA L4"]}
    for description in (TUNED, {"kind": "checkpoint"}, {**LOCAL, "model": {"spec": "smollm2", "device": "cuda:2"}}):
        one = cost(description, hardware=hardware, training=FACTS)
        assert one.usd_per_query == pytest.approx(0.25 / 3600 * 3.6)
        assert one.runs_on == "1 × NVIDIA L4"
    assert cost({**LOCAL, "model": {"spec": "smollm2", "device": "cuda:1"}}, hardware=hardware).runs_on == "1 × Other"


def test_a_server_of_the_user_s_is_called_an_endpoint():
    assert cost({**API, "model": {"spec": "endpoint:m@http://localhost:1/v1"}}).runs_on == "endpoint"
    assert cost(API).runs_on == "API"


def test_labels_that_were_held_out_are_paid_for_and_an_unknown_number_is_unknown():
    table = TABLE.model_copy(update={"labels_usd": 0.1})
    assert cost(TUNED, training={**FACTS, "held_out": 20}, table=table).fixed_usd == pytest.approx(0.72 + 520 * 0.1)
    unknown = cost(TUNED, training={**FACTS, "n": None}, table=table)
    assert (unknown.fixed_usd, unknown.training.usd) == (None, pytest.approx(0.72))
    assert unknown.training.notes == ("how many items were labelled is not noted",)
    assert cost(TUNED, training={**FACTS, "n": None}).fixed_usd == pytest.approx(0.72)  # not counted at all


def test_work_on_the_cpu_does_not_pay_for_the_gpus_beside_it():
    hardware = {**TOY, "gpus": ["NVIDIA L4"]}
    assert cost(LOCAL, hardware=hardware).usd_per_query == pytest.approx(0.00005)
    assert cost({"kind": "baseline"}, hardware=hardware).usd_per_query == pytest.approx(0.00005)
    on_gpu = {**LOCAL, "model": {"spec": "smollm2", "device": "cuda:0"}}
    assert cost(on_gpu, hardware=hardware).usd_per_query == pytest.approx(0.25 / 3600 * 3.6)


@pytest.mark.parametrize(
    ("description", "changed", "note"),
    [
        ({**API, "model": {"spec": "openai:other"}}, {}, "no price for the model openai:other"),
        (API, {"of": measured(usage={}, counted=0)}, "no token counts were reported"),
        (LOCAL, {"hardware": None}, "the machine is not noted"),
        (LOCAL, {"hardware": {"cpu": "Other", "cpus": 2, "gpus": []}}, "no price for the machine 2 × Other"),
        ({"kind": "chain", "chain": "mine:chain"}, {}, "what a chain of your own calls is not known"),
        (API, {"of": measured(n=0, correct=0, counted=0)}, "it answered nothing"),
    ],
)
def test_an_unknown_price_of_a_query_is_none_and_says_why(description, changed, note):
    one = cost(description, **changed)
    assert (one.usd_per_query, one.usd_per_correct, one.usd, one.note) == (None, None, None, note)
    pair = break_even(("tuned", cost(TUNED, training=FACTS)), ("other", one))
    assert (pair.verdict, pair.queries, pair.saved_usd) == ("unknown", None, None)
    assert pair.reason == f"other: {note}"


@pytest.mark.parametrize(
    ("facts", "note"),
    [
        (None, "the checkpoint has no training card"),
        ({**FACTS, "hardware": None}, "the machine is not noted"),
        ({**FACTS, "wall_s": None}, "the time is not noted"),
        ({**FACTS, "hardware": {"cpu": "Other", "cpus": 2, "gpus": []}}, "no price for the machine 2 × Other"),
    ],
)
def test_an_unknown_price_of_the_training_is_none_and_says_why(facts, note):
    one = cost({"kind": "checkpoint"}, training=facts, table=TABLE.model_copy(update={"labels_usd": 0.1}))
    assert (one.fixed_usd, one.training.usd, one.training.notes) == (None, None, (note,))
    assert break_even(("tuned", one), ("api", cost(API))).reason == f"tuned: training: {note}"


def test_a_baseline_that_learns_has_no_known_price_and_one_that_does_not_costs_nothing_once():
    learnt = cost({"kind": "baseline", "train_items": 90})
    assert (learnt.fixed_usd, learnt.training.notes) == (None, ("not timed",))
    assert cost({"kind": "baseline", "train_items": 0}).fixed_usd == 0


def test_the_break_even_is_where_both_have_cost_the_same():
    a, b = cost(TUNED, training=FACTS), cost(API)
    (pair,) = break_evens({"tuned": a, "api": b, "majority": cost({"kind": "baseline"})})
    assert (pair.trained, pair.prompted, pair.verdict) == ("tuned", "api", "from")
    assert pair.queries == pytest.approx(0.72 / 0.00007)
    assert a.fixed_usd + pair.queries * a.usd_per_query == pytest.approx(pair.queries * b.usd_per_query)
    assert break_even_table([pair]).rows[0][-1] == "10,286"


def test_without_a_break_even_the_verdict_says_which_way():
    dear = cost(TUNED, training=FACTS, of=measured(seconds=10))  # 0.0002 a query against 0.00012
    never = break_even(("tuned", dear), ("api", cost(API)))
    assert (never.verdict, never.queries) == ("never", None)
    assert never.saved_usd == pytest.approx(-0.00008)
    free = cost(TUNED, training={**FACTS, "wall_s": 0})
    assert break_even(("tuned", free), ("api", cost(API))).verdict == "always"
    level = cost(TUNED, training=FACTS, of=measured(seconds=6))
    never = break_even(("tuned", level), ("api", cost(API)))
    assert (never.verdict, never.saved_usd) == ("never", 0)
    same = cost(TUNED, training={**FACTS, "wall_s": 0}, of=measured(seconds=6))
    pair = break_even(("tuned", same), ("api", cost(API)))
    assert (pair.verdict, pair.queries, pair.fixed_usd, pair.saved_usd) == ("same", None, 0, 0)
    assert break_even_table([pair]).rows[0][-1] == "same cost"


def sentence(trained, prompted, **more):
    costs = {"tuned": trained, "api": prompted}
    more = {"accuracies": {"tuned": 0.8, "api": 0.5}, "comparisons": ()} | more
    return pair_sentences(break_evens(costs), costs, **more)[0]


def test_the_sentence_of_every_verdict():
    tuned, api = cost(TUNED, training=FACTS), cost(API, of=measured(correct=5))
    free = cost(TUNED, training={**FACTS, "wall_s": 0})
    assert sentence(free, api).startswith(
        "tuned costs $0.00 to train and is cheaper than api from the first query on ("
    )
    same = cost(TUNED, training={**FACTS, "wall_s": 0}, of=measured(seconds=6))
    assert sentence(same, api).startswith("tuned and api cost the same: $0.12 for 1,000 queries (1,000 right answers:")
    dear = cost(TUNED, training=FACTS, of=measured(seconds=10))
    assert sentence(dear, api).startswith(
        "tuned costs $0.72 to train and is never cheaper than api: 1,000 queries cost $0.20 against $0.12 ("
    )
    labels = TABLE.model_copy(update={"labels_usd": 0.1})
    labelled = cost(TUNED, training=FACTS, table=labels)
    assert sentence(labelled, api).startswith("tuned costs $50.72 to train and label; from ")
    soon = cost(TUNED, training={**FACTS, "wall_s": 1e-3})
    assert "; from the first query on it is cheaper than api (" in sentence(soon, api)
    late = cost(TUNED, training={**FACTS, "wall_s": 1e13})
    assert "; from over a trillion queries on it is cheaper than api (" in sentence(late, api)
    assert "; from 10,286 queries on it is cheaper than api (" in sentence(tuned, api)
    wrong = cost(API, of=measured(correct=0))
    assert "(no right answer of api has a price: there is none)" in sentence(tuned, wrong)


def test_the_sentence_is_over_the_items_that_were_compared():
    tuned, api = cost(TUNED, training=FACTS), cost(API, of=measured(correct=5))
    parts = {"benchmark": "mnli", "a": "api", "b": "tuned", "n": 8, "n_left_out": 2, "n_clusters": 8}
    parts |= {"accuracy_a": 0.25, "accuracy_b": 0.75, "difference": -0.5, "interval": None, "p": 0.1, "p_holm": 0.1}
    parts |= {"points_difference": -4, "points_possible": 8, "won": (), "lost": (), "both_right": 2, "both_wrong": 2}
    one = Comparison.model_validate(parts)
    said = "tuned is right on 75.0% of the 8 items both answered, api on 25.0%, a difference that is not"
    assert said in sentence(tuned, api, comparisons=[one])
    all_items = one.model_copy(update={"n_left_out": 0})
    assert "tuned is right on 75.0%, api on 25.0%, a" in sentence(tuned, api, comparisons=[all_items])


def test_a_curve_without_a_break_even_says_so():
    costs = {"tuned": cost(TUNED, training=FACTS, of=measured(seconds=10)), "api": cost(API)}
    drawing = lay_out(costs, break_evens(costs))
    assert (drawing.dots, drawing.label) == ([], "Total cost against the number of queries; no break-even is in it")


def test_the_training_of_a_checkpoint_is_read_from_its_card(tmp_path):
    def facts(**card):
        (tmp_path / "training_card.json").write_text(json.dumps({"schema_version": 1, **card}), encoding="utf-8")
        return training_facts(tmp_path).as_json()

    assert training_facts(tmp_path) is None
    assert facts() == {"wall_s": None, "hardware": None, "n": None, "held_out": None}
    gpus = {"cpu": "x", "cpus": 8, "gpus": ["NVIDIA L4"] * 2}
    data = {"train": {"n": 7}, "held_out": {"n": 2}}
    assert facts(wall_s=3, hardware=gpus, data=data) == {"wall_s": 3, "hardware": gpus, "n": 7, "held_out": 2}
    assert facts(hardware=gpus, settings={"extra": {"use_cpu": True}})["hardware"]["gpus"] == []
    for devices, machines, used in ((8, 4, 8), (8, None, 8), (1, 1, 1), (None, 2, 4), (3, 2, 3)):
        noted = {name: n for name, n in (("devices", devices), ("machines", machines)) if n is not None}
        assert facts(hardware={**gpus, **noted})["hardware"]["gpus"] == ["NVIDIA L4"] * used
    many = facts(hardware={**gpus, "gpus": [], "devices": 6, "machines": 3})["hardware"]
    assert many == {"cpu": "x", "cpus": 24, "gpus": []}


@pytest.mark.parametrize(
    ("card", "said"),
    [
        ({"data": [1]}, "'data' = '[1]'"),
        ({"data": {"train": {"n": "many"}}}, "'data.train.n' = 'many'"),
        ({"hardware": "x"}, "'hardware' = 'x'"),
        ({"hardware": {"devices": None}}, "'hardware.devices' = 'None'"),
        ({"hardware": {"gpus": 1}}, "'hardware.gpus' = '1'"),
        ({"wall_s": "abc"}, "'wall_s' = 'abc'"),
        ({"wall_s": -1}, "'wall_s' = '-1'"),
        ({"settings": {"extra": 1}}, "'settings.extra' = '1'"),
    ],
)
def test_a_damaged_card_is_named_in_one_line(tmp_path, card, said):
    (tmp_path / "training_card.json").write_text(json.dumps({"schema_version": 1, **card}), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(said)) as caught:
        training_facts(tmp_path)
    assert "\n" not in str(caught.value)
    assert "training_card.json" in str(caught.value)


@pytest.mark.usefixtures("prices")
def test_the_report_shows_the_costs_the_break_even_and_its_curve(tmp_path, update_golden):
    run = priced_run(tmp_path / "run")
    paths = write_report(run)
    written = paths.markdown.read_text(encoding="utf-8")
    section = written[written.index("### Cost") : written.index("### Predictions")]
    if update_golden:
        GOLDEN.write_text(section, encoding="utf-8")
    assert section == GOLDEN.read_text(encoding="utf-8"), "if this change is meant: pytest --update-golden"
    assert (run / "break-even-1.svg").is_file()
    summary = summarize(run)
    assert Summary.model_validate_json(paths.summary.read_text(encoding="utf-8")) == summary
    assert (
        "tuned costs $0.72 to train; from 10,286 queries on it is cheaper than prompted (1,000 right answers: "
        "$0.062 against $0.24); tuned is right on 80.0%, prompted on 50.0%, a difference that is not "
        "distinguishable from chance."
    ) in summary.conclusion
    assert (
        "These costs leave out labelling, people's time and electricity that is not in a machine's price."
        in summary.conclusion
    )


@pytest.mark.usefixtures("prices")
def test_the_curve_is_the_same_bytes_and_needs_no_style_that_the_page_refuses(tmp_path):
    run = priced_run(tmp_path / "run")
    page = write_report(run).html.read_text(encoding="utf-8")
    drawn = (run / "break-even-1.svg").read_bytes()
    write_report(run)
    assert (run / "break-even-1.svg").read_bytes() == drawn
    assert page.count('class="cost-line') == 4  # two systems, each with its place in the legend
    assert page.count('class="cost-dot"') == 1
    assert " style=" not in page
    assert page.count("<style>") == 1
    assert all(f".cost-{colour} " in page for colour in range(COLOURS))


@pytest.mark.parametrize("changed", [{"api": "openai:other"}, {"card": False}, {"hardware": None}])
@pytest.mark.usefixtures("prices")
def test_what_is_unknown_is_unknown_in_every_report(tmp_path, changed):
    run = priced_run(tmp_path / "run", **changed)
    (run / "break-even-1.svg").write_text("of an earlier price table", encoding="utf-8")
    paths = write_report(run)
    summary = json.loads(paths.summary.read_text(encoding="utf-8"))["evaluations"][0]
    assert [pair["queries"] for pair in summary["break_even"]] == [None]
    assert any("cannot be said" in sentence for sentence in summary["conclusion"])
    table = paths.markdown.read_text(encoding="utf-8")
    assert "| tuned | prompted | unknown | unknown | unknown |" in table
    assert "$0.00 " not in table
    assert "break-even-1.svg" not in table
    assert not (run / "break-even-1.svg").exists()


@pytest.mark.usefixtures("prices")
def test_compare_prints_the_costs_and_the_break_evens(tmp_path, capsys):
    run = priced_run(tmp_path / "run")
    assert main(["compare", str(run)]) == 0
    shown = capsys.readouterr().out
    for part in ("mnli: cost", "mnli: break-even", "10,286", "- tuned costs $0.72 to train"):
        assert part in shown
    assert re.search(r" \$0\.72 \(30 .*\n +min\)\n", shown)  # in a cell of two lines, where the table is too wide
    for text in (shown, terminal_table(summarize(run))):
        assert max(map(display_width, text.splitlines())) <= WIDTH
        assert "10,286" in text


@pytest.mark.usefixtures("prices")
def test_compare_as_json_keeps_the_unknown_null(tmp_path, capsys):
    run = priced_run(tmp_path / "run", api="openai:other")
    assert main(["compare", str(run), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    costs = {row["system"]: row for row in content["costs"]}
    assert costs["tuned"]["fixed_usd"] == pytest.approx(0.72)
    assert (costs["prompted"]["usd_per_query"], costs["majority"]["fixed_usd"]) == (None, None)
    assert content["break_even"][0]["verdict"] == "unknown"
    assert len(content["comparisons"]) == 3


@pytest.mark.usefixtures("prices")
def test_two_runs_set_the_trained_systems_of_either_against_the_prompted_ones_of_both(tmp_path):
    first, second = priced_run(tmp_path / "a"), priced_run(tmp_path / "b", prefix="new-", hardware={**TOY, "cpus": 1})
    (found,) = costs_of_runs(read_answers(first), read_answers(second))
    assert found.systems["A/tuned"].usd_per_query == pytest.approx(0.00005)
    assert found.systems["B/new-tuned"].usd_per_query == pytest.approx(0.000025)  # each on its own run's machine
    assert [(pair.trained, pair.prompted) for pair in found.break_even] == [
        (a, b) for a in ("A/tuned", "B/new-tuned") for b in ("A/prompted", "B/new-prompted")
    ]


def test_the_curve_stays_inside_its_box_at_any_magnitude():
    cheap = cost(TUNED, training={**FACTS, "wall_s": 1e-6}, of=measured(seconds=1e-6))
    dear = cost(TUNED, training={**FACTS, "wall_s": 1e9})
    for trained in (cheap, dear):
        costs = {"tuned": trained, "api": cost(API)}
        drawing = lay_out(costs, break_evens(costs))
        left, top, right, bottom = drawing.plot
        for line in drawing.lines:
            points = [tuple(map(float, pair.split(","))) for pair in line.path.removeprefix("M").split(" L")]
            assert all(left <= x <= right and top <= y <= bottom for x, y in points)
        assert max(len(tick.label) for tick in drawing.x_ticks) <= 4
        assert max(len(tick.label) for tick in drawing.y_ticks) <= 10
        assert 2 <= len(drawing.x_ticks) <= 9
        assert 2 <= len(drawing.y_ticks) <= 9


def test_a_system_cannot_be_named_like_a_curve():
    with pytest.raises(ValueError, match="would take the place of a file of the run"):
        SystemSpec(name="break-even-1.svg", baseline="majority")


def test_nothing_is_drawn_where_nothing_is_known_or_everything_is_free():
    assert lay_out({}, ()) is None
    free = TABLE.model_copy(update={"machines": (TABLE.machines[0].model_copy(update={"usd_per_hour": 0.0}),)})
    costs = {"tuned": cost(TUNED, training=FACTS, table=free), "local": cost(LOCAL, table=free)}
    assert lay_out(costs, break_evens(costs)) is None


def test_a_run_notes_its_machine_and_what_training_took_on_it(tmp_path, monkeypatch):
    here = hardware()
    parts = [("cpu", here["cpu"]), *(("gpu", name) for name in here["gpus"])]
    machines = [{"match": name, "per": per, "usd_per_hour": 1} for per, name in parts]
    table = {"as_of": "2026-01-01", "source": "me", "machines": machines}
    (tmp_path / "mine.yaml").write_text(json.dumps(table), encoding="utf-8")
    monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(tmp_path / "mine.yaml"))
    for split, items in (("train", toy_items(60, seed=1)), ("validation_matched", toy_items(9, seed=2))):
        rows = [item.inputs | {"label": item.choices[item.target]} for item in items]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    settings = {
        "model": str(make_encoder(tmp_path / "tiny")),
        "max_length": 48,
        "epochs": 1,
        "extra": {"use_cpu": True},
    }

    def ran(name, **system):
        system = SystemSpec(name=name, any_label_order=True, **system)
        suite = Suite(name=name, evaluations=(EvaluationSpec(benchmark="mnli", data=tmp_path, systems=(system,)),))
        return run(plan(suite), tmp_path / name).run_dir

    def priced(run_dir):
        assert read_manifest(run_dir).hardware.as_json() == here
        (found,) = costs_of_runs(read_answers(run_dir))
        return found.systems[run_dir.name]

    first = priced(ran("first", finetune=settings))
    again = priced(ran("again", checkpoint=str(tmp_path / "first" / "first" / "checkpoint")))
    for one in (first, again):
        assert one.training.n_items == 57  # of 60, 3 are held out for the curves
        assert one.fixed_usd == pytest.approx(one.training.wall_s / 3600 * here["cpus"])
        assert one.usd > 0
    assert again.training == first.training
    training = read_manifest(tmp_path / "again").systems["again"].training
    assert training.wall_s == first.training.wall_s
