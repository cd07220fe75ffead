"""A checkpoint as a predictor: real batches, labels by name, and the ways in which a checkpoint can be wrong."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableLambda
from safetensors.torch import load_file, save_file

from data.common.errors import ConfigurationError, MissingResourceError
from data.types import Prediction
from finetune.classifier import Classifier, load_classifier
from tests.support.tiny_encoder import LABELS, make_encoder, toy_items

INPUTS = [item.to_input() for item in toy_items(23, seed=5)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("nli") / "checkpoint", labels=LABELS)


@pytest.fixture(scope="module")
def classifier(checkpoint: Path) -> Classifier:
    return load_classifier(checkpoint, labels=LABELS, batch_size=4, bf16="off")


def test_batch_answers_as_one_by_one_and_in_order(classifier: Classifier) -> None:
    together, alone = classifier.batch(INPUTS), [classifier.invoke(one) for one in INPUTS]
    for batched, single in zip(together, alone, strict=True):
        assert batched.probs == pytest.approx(single.probs, abs=1e-5)
        assert batched.model_copy(update={"probs": None}) == single.model_copy(update={"probs": None})
    assert len({prediction.probs for prediction in together}) > 1


def test_a_prediction_is_complete(classifier: Classifier) -> None:
    prediction = classifier.invoke(INPUTS[0])
    assert sum(prediction.probs) == pytest.approx(1.0, abs=1e-12)
    assert prediction.choice == max(range(3), key=prediction.probs.__getitem__)
    words = (INPUTS[0]["premise"] + " " + INPUTS[0]["hypothesis"]).split()
    assert prediction.usage == {"input_tokens": len(words) + 3}
    assert (prediction.status, prediction.rule, prediction.raw) == ("ok", "argmax", "")


def test_batch_makes_full_forward_passes_of_like_lengths(classifier: Classifier) -> None:
    shapes = []
    hook = classifier.model.register_forward_pre_hook(
        lambda module, args, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)), with_kwargs=True
    )
    classifier.batch(INPUTS)
    hook.remove()
    assert [rows for rows, _ in shapes] == [4, 4, 4, 4, 4, 3]
    assert [length for _, length in shapes] == sorted((length for _, length in shapes), reverse=True)


def test_probs_follow_the_names_not_the_ids(checkpoint: Path, classifier: Classifier, tmp_path: Path) -> None:
    renamed = tmp_path / "permuted"
    renamed.mkdir()
    for file in checkpoint.iterdir():
        (renamed / file.name).write_bytes(file.read_bytes())
    config = json.loads((renamed / "config.json").read_text())
    names = ["Contradiction", "ENTAILMENT", "neutral"]
    config |= {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    (renamed / "config.json").write_text(json.dumps(config))

    permuted = load_classifier(renamed, labels=LABELS, bf16="off").batch(INPUTS)
    for before, after in zip(classifier.batch(INPUTS), permuted, strict=True):
        column_0, column_1, column_2 = before.probs
        assert after.probs == pytest.approx((column_1, column_2, column_0), abs=1e-6)


def test_one_bad_input_sinks_no_other(classifier: Classifier) -> None:
    inputs = [INPUTS[0], {"id": "broken", "premise": "a man"}, INPUTS[1]]
    first, second, third = classifier.batch(inputs, return_exceptions=True)
    assert isinstance(first, Prediction)
    assert isinstance(second, ConfigurationError)
    assert "broken has no text 'hypothesis'" in str(second)
    assert isinstance(third, Prediction)
    with pytest.raises(ConfigurationError, match="broken"):
        classifier.batch(inputs)
    with pytest.raises(ConfigurationError, match="broken"):
        classifier.invoke(inputs[1])
    assert classifier.batch([]) == []


class Ends(BaseCallbackHandler):
    def __init__(self) -> None:
        self.outputs: list = []

    def on_chain_end(self, outputs, **kwargs) -> None:
        self.outputs.append(outputs)


def test_every_input_has_its_own_callbacks(classifier: Classifier) -> None:
    watchers = [Ends(), Ends()]
    predictions = classifier.batch(INPUTS[:2], [{"callbacks": [watcher]} for watcher in watchers])
    assert [watcher.outputs for watcher in watchers] == [[prediction] for prediction in predictions]


def test_it_composes_like_any_runnable(classifier: Classifier) -> None:
    chain = RunnableLambda(lambda pair: {"premise": pair[0], "hypothesis": pair[1]}) | classifier
    pair = (INPUTS[0]["premise"], INPUTS[0]["hypothesis"])
    assert chain.invoke(pair).probs == pytest.approx(classifier.invoke(INPUTS[0]).probs)
    answers = asyncio.run(classifier.with_config(run_name="encoder").abatch(INPUTS[:5]))
    assert [answer.choice for answer in answers] == [answer.choice for answer in classifier.batch(INPUTS[:5])]


def test_bf16_stays_close(checkpoint: Path, classifier: Classifier) -> None:
    rough = load_classifier(checkpoint, labels=LABELS, bf16="on").batch(INPUTS)
    for exact, near in zip(classifier.batch(INPUTS), rough, strict=True):
        assert near.probs == pytest.approx(exact.probs, abs=0.03)


def test_long_texts_are_cut_at_the_encoders_positions(classifier: Classifier) -> None:
    prediction = classifier.invoke({"premise": "the dog walks " * 100, "hypothesis": "the dog sits"})
    assert prediction.usage == {"input_tokens": 64}


def test_what_is_no_checkpoint_for_this_task(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="batch_size 0"):
        load_classifier(checkpoint, labels=LABELS, batch_size=0)
    with pytest.raises(MissingResourceError, match=r"there is no folder.*a checkpoint is made by"):
        load_classifier(tmp_path / "nowhere", labels=LABELS)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingResourceError, match="is empty"):
        load_classifier(tmp_path / "empty", labels=LABELS)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("hello")
    with pytest.raises(ConfigurationError, match="cannot load the folder"):
        load_classifier(tmp_path / "other", labels=LABELS)
    with pytest.raises(ConfigurationError, match="no sequence classifier but DistilBertModel"):
        load_classifier(make_encoder(tmp_path / "base"), labels=LABELS)
    with pytest.raises(ConfigurationError, match="labels entailment, neutral, contradiction; needed are yes, no"):
        load_classifier(checkpoint, labels=("yes", "no"))
    unnamed = make_encoder(tmp_path / "unnamed", labels=("LABEL_0", "LABEL_1", "LABEL_2"))
    with pytest.raises(ConfigurationError, match="has the labels LABEL_0, LABEL_1, LABEL_2"):
        load_classifier(unnamed, labels=LABELS)


def damaged(checkpoint: Path, folder: Path) -> Path:
    return Path(shutil.copytree(checkpoint, folder))


def test_a_checkpoint_without_its_head_would_answer_at_random(checkpoint: Path, tmp_path: Path) -> None:
    headless = damaged(checkpoint, tmp_path / "headless")
    weights = load_file(headless / "model.safetensors")
    body = {name: weight for name, weight in weights.items() if "classifier" not in name}
    save_file(body, headless / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match=r"lacks 4 weights of its model's shape, such as .*classifier"):
        load_classifier(headless, labels=LABELS)


def test_a_checkpoint_without_its_tokenizer_knows_no_word(checkpoint: Path, tmp_path: Path) -> None:
    wordless = damaged(checkpoint, tmp_path / "wordless")
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        (wordless / name).unlink(missing_ok=True)
    with pytest.raises(ConfigurationError, match="has no tokenizer"):
        load_classifier(wordless, labels=LABELS)


def test_damaged_checkpoints_are_said_in_one_line(checkpoint: Path, tmp_path: Path) -> None:
    cut = damaged(checkpoint, tmp_path / "cut")
    weights = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    wider = damaged(checkpoint, tmp_path / "wider")
    config = json.loads((wider / "config.json").read_text())
    (wider / "config.json").write_text(json.dumps(config | {"dim": 64}))
    for folder, words in ((cut, "cannot load the folder"), (wider, "weights of its model's shape")):
        with pytest.raises(ConfigurationError, match=rf"^[^\n]*{words}[^\n]*$"):
            load_classifier(folder, labels=LABELS)


@pytest.mark.parametrize(
    "fault", [{"max_length": "x"}, {"max_length": -3}, {"text_fields": "premise"}, {"text_fields": []}]
)
def test_a_card_that_says_nonsense_is_refused(checkpoint: Path, tmp_path: Path, fault: dict) -> None:
    carded = damaged(checkpoint, tmp_path / "carded")
    (carded / "training_card.json").write_text(json.dumps({"schema_version": 1} | fault))
    with pytest.raises(ConfigurationError, match=rf"training_card.json: '{next(iter(fault))}' = [^\n]*$"):
        load_classifier(carded, labels=LABELS)
