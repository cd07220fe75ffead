import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from data.common.errors import ConfigurationError
from eval.cli.parser import main
from eval.measures.probabilities import Probabilities, rescaled
from eval.measures.run_answers import read_answers
from eval.measures.temperature import COLDEST, HOTTEST, fit_temperature
from eval.measures.temperature import scale_run as scale_answers
from tests.support.journaled_runs import answer, exam_item, pair_item, write_run


def scale_run(run, fit):
    return scale_answers(read_answers(run), read_answers(fit))


def made(targets, probs, n_choices=None):
    n = len(targets)
    widths = np.full(n, probs.shape[1]) if n_choices is None else np.array(n_choices)
    return Probabilities(tuple(map(str, range(n))), np.array(targets), probs.argmax(axis=1), probs, widths, {})


def heated(rng, n, temperature):
    """Targets drawn from softmax(logits), and probabilities that are too sure by this temperature."""
    logits = rng.normal(0, 1.5, (n, 3))
    targets = np.array([rng.choice(3, p=row) for row in softmax(logits, axis=1)])
    return targets, logits * temperature


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature):
    targets, logits = heated(np.random.default_rng(3), 4000, temperature)
    found = fit_temperature(made(targets, softmax(logits, axis=1)))
    assert found == pytest.approx(temperature, rel=0.06)
    oracle = minimize(lambda t: -log_softmax(logits / t[0], axis=1)[np.arange(4000), targets].mean(), [1.0], tol=1e-10)
    assert found == pytest.approx(oracle.x[0], rel=1e-4)


def test_rescaling_is_the_softmax_of_divided_logits_and_keeps_the_choice():
    logits = np.random.default_rng(4).normal(0, 2, (50, 4))
    given = made(np.zeros(50, dtype=int), softmax(logits, axis=1))
    assert rescaled(given, 1.7).probs == pytest.approx(softmax(logits / 1.7, axis=1))
    assert rescaled(given, 1.0).probs == pytest.approx(given.probs)
    assert (rescaled(given, 5.0).probs.argmax(axis=1) == given.choices).all()


def test_zeros_are_softened_and_places_beyond_the_choices_stay_empty():
    given = made([1, 0], np.array([[1.0, 0.0, 0.0], [0.6, 0.4, 0.0]]), n_choices=[3, 2])
    soft = rescaled(given, 20.0).probs
    assert soft.sum(axis=1) == pytest.approx([1, 1])
    assert soft[0, 1] == soft[0, 2] > 0.05
    assert soft[1, 2] == 0
    cold = rescaled(given, COLDEST).probs
    assert np.isfinite(cold).all() and cold[0].tolist() == [1.0, 0.0, 0.0]


def test_certainty_that_is_always_wrong_or_always_right_ends_the_search():
    certain = np.tile([1.0, 0.0, 0.0], (30, 1))
    assert fit_temperature(made([1] * 30, certain)) == pytest.approx(HOTTEST, rel=0.01)
    likely = np.tile([0.8, 0.1, 0.1], (30, 1))
    assert fit_temperature(made([0] * 30, likely)) < 0.1


def journal(run_dir, numbers, *, seed, systems=("sure", "plain"), description=None, item=pair_item):
    rng = np.random.default_rng(seed)

    def sure(entry):
        logits = rng.normal(0, 1, 3)
        logits[entry.target] += 1
        probs = softmax(3 * logits)
        return answer(entry, "sure", int(probs.argmax()), probs=tuple(map(float, probs)), probs_source="softmax")

    responders = {"sure": sure, "plain": lambda entry: answer(entry, "plain", 0)}
    kept = {name: responders[name] for name in systems}
    described = {"sure": description or {"kind": "checkpoint", "checkpoint_sha256": "ab"}}
    return write_run(run_dir, [("mnli", [item(number) for number in numbers], kept)], descriptions=described)


def test_a_temperature_of_another_split_mends_this_one(tmp_path):
    run, fit = (journal(tmp_path / name, numbers, seed=1) for name, numbers in RUNS.items())
    (found,), left_out = scale_run(run, fit)
    assert left_out == ("plain",)
    assert (found.system, found.n_fit, found.before.n) == ("sure", 400, 300)
    assert found.temperature > 2 and not found.at_the_end
    assert found.after.accuracy == found.before.accuracy
    assert found.after.log_loss < found.before.log_loss
    assert found.after.ece < found.before.ece / 2
    low, high = found.intervals_after["overconfidence"]
    assert low < found.after.overconfidence < high


RUNS = {"run": range(300), "fit": range(300, 700)}


def test_runs_that_share_an_item_are_refused(tmp_path):
    run, fit = journal(tmp_path / "run", range(20), seed=1), journal(tmp_path / "fit", range(19, 40), seed=2)
    with pytest.raises(ConfigurationError, match=r"share 1 items \(mnli/made-up/19\).*another split"):
        scale_run(run, fit)
    with pytest.raises(ConfigurationError, match="share 20 items"):
        scale_run(run, run)


def test_another_system_of_the_same_name_is_refused(tmp_path):
    run = journal(tmp_path / "run", range(20), seed=1)
    other = {"kind": "checkpoint", "checkpoint_sha256": "cd"}
    fit = journal(tmp_path / "fit", range(20, 40), seed=2, description=other)
    with pytest.raises(ConfigurationError, match=r"'sure' is another one in .*checkpoint_sha256 differ"):
        scale_run(run, fit)


def test_the_same_system_at_another_place_is_taken(tmp_path):
    same = {"kind": "checkpoint", "checkpoint_sha256": "ab", "checkpoint": "elsewhere", "training": {"n": 1}}
    run = journal(tmp_path / "run", range(30), seed=1)
    fit = journal(tmp_path / "fit", range(30, 60), seed=2, description=same)
    assert len(scale_run(run, fit).scalings) == 1


def test_checkpoints_of_the_hub_are_told_apart_by_name(tmp_path):
    def run(name, numbers, checkpoint, **more):
        description = {"kind": "checkpoint", "checkpoint": checkpoint, "checkpoint_sha256": None, **more}
        return journal(tmp_path / name, numbers, seed=1, description=description)

    one = run("one", range(20), "org/one")
    with pytest.raises(ConfigurationError, match=r"its checkpoint differ"):
        scale_run(one, run("two", range(20, 40), "org/two"))
    with pytest.raises(ConfigurationError, match=r"its checkpoint, checkpoint_sha256 differ"):
        scale_run(one, run("three", range(20, 40), "folder", checkpoint_sha256="ab"))
    assert scale_run(one, run("same", range(20, 40), "org/one")).scalings


def test_a_model_is_another_by_its_settings_and_not_by_its_machine(tmp_path):
    def run(name, numbers, **model):
        model = {"spec": "hf:org/m", "temperature": 0.7, "dtype": "float32", "device": "cpu", "seed": 0} | model
        return journal(tmp_path / name, numbers, seed=1, description={"kind": "chain", "votes": 5, "model": model})

    one = run("one", range(20))
    with pytest.raises(ConfigurationError, match=r"its model differ"):
        scale_run(one, run("hot", range(20, 40), temperature=1.5))
    with pytest.raises(ConfigurationError, match=r"its model differ"):
        scale_run(one, run("other", range(20, 40), spec="hf:org/n"))
    moved = run("moved", range(20, 40), dtype="bfloat16", device="cuda", base_url="http://localhost:1/v1", seed=1)
    assert scale_run(one, moved).scalings


def test_systems_and_choices_must_fit(tmp_path):
    run = journal(tmp_path / "run", range(20), seed=1)
    without = journal(tmp_path / "without", range(20, 40), seed=2, systems=("plain",))
    with pytest.raises(ConfigurationError, match=r"no probabilities of system 'sure'.*those of: none"):
        scale_run(run, without)
    with pytest.raises(ConfigurationError, match=r"has no probabilities; encoders give them"):
        scale_run(without, run)

    def other_labels(number):
        return pair_item(number).model_copy(update={"choices": ("yes", "maybe", "no")})

    relabelled = journal(tmp_path / "relabelled", range(20, 40), seed=2, item=other_labels)
    with pytest.raises(ConfigurationError, match=r"chooses among entailment, neutral, contradiction, but in .* yes"):
        scale_run(run, relabelled)


def test_the_command_prints_what_changed(tmp_path, capsys):
    run, fit = (str(journal(tmp_path / name, numbers, seed=1)) for name, numbers in RUNS.items())
    before = {path: path.read_bytes() for path in Path(run).rglob("*") if path.is_file()}
    assert main(["calibrate", run, "--fit", fit]) == 0
    shown = capsys.readouterr().out
    assert "400 / 300" in shown and " → " in shown and "more alike" in shown and "left out: plain" in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert main(["calibrate", run, "--fit", fit, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["left_out"] == ["plain"]
    assert content["scalings"][0]["after"]["n"] == 300
    assert before == {path: path.read_bytes() for path in Path(run).rglob("*") if path.is_file()}


def test_a_run_is_not_calibrated_on_itself(tmp_path, capsys):
    run = str(journal(tmp_path / "run", range(20), seed=1))
    assert main(["calibrate", run, "--fit", run]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_exams_of_two_years_fit_each_other(tmp_path):
    def reader(entry):
        probs = [0.05] * 5
        probs[0] = 0.8
        return answer(entry, "reader", 0, probs=tuple(probs), probs_source="likelihood")

    for name, numbers in (("2022", range(1, 20)), ("2023", range(20, 40))):
        write_run(tmp_path / name, [("kice", [exam_item(number) for number in numbers], {"reader": reader})])
    (found,), _ = scale_run(tmp_path / "2023", tmp_path / "2022")
    assert found.temperature > 1
