"""The journal loses nothing that was handed to it, says what it drops, and reads back what it wrote."""

import errno
import json
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.common.errors import ConfigurationError, MissingResourceError
from data.common.secrets import STRUCK_OUT, make_redactor
from data.types import Item, Prediction, Record
from eval.rundir.journal import Journal, has_answers, latest_records, read_outcomes, read_records, settle
from eval.rundir.manifest import read_manifest, redacted, write_manifest
from tests.support.runs_by_hand import manifest


def record(number: int, *, choice: int | None = 0, error: str | None = None, raw: str = "") -> Record:
    item = Item(id=f"i{number}", inputs={"question": "?"}, choices=("a", "b"), target=0, group="g")
    status = "ok" if choice is not None else "none"
    prediction = None if error else Prediction(choice=choice, status=status, raw=raw)
    return Record(item=item, system="s", prediction=prediction, error=error, latency_s=0.1)


def write(path: Path, *records: Record) -> None:
    with Journal(path) as journal:
        for entry in records:
            journal.append(entry)


@given(st.text())
def test_any_text_survives_the_journal(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("journal") / "records.jsonl"
    entry = record(1, raw=text.replace("sk", "").encode("utf-8", "ignore").decode())
    write(path, entry)
    assert list(read_records(path)) == [entry]


def test_each_record_is_on_disk_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "s" / "records.jsonl"
    with Journal(path) as journal:
        for number in range(3):
            journal.append(record(number))
            assert len(list(read_records(path))) == number + 1


def test_a_torn_last_line_is_dropped_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "records.jsonl"
    write(path, record(1), record(2))
    path.write_bytes(path.read_bytes()[:-20])
    assert [entry.item.id for entry in read_records(path)] == ["i1"]
    assert "cut short" in capsys.readouterr().err
    write(path, record(3))
    assert [entry.item.id for entry in read_records(path)] == ["i1", "i3"]


def test_damage_before_the_end_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write(path, record(1), record(2))
    lines = path.read_text().splitlines()
    path.write_text(f"{lines[0][:30]}\n{lines[1]}\n")
    with pytest.raises(ConfigurationError, match="line 1"):
        list(read_records(path))


def test_a_line_that_is_no_record_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write(path, record(1))
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(ConfigurationError, match="line 2: not a record"):
        list(read_records(path))


def test_the_later_record_of_an_item_counts(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write(path, record(1, error="TimeoutError: slow"), record(2), record(1, choice=1))
    latest = latest_records(path)
    assert latest["i1"].prediction is not None and latest["i1"].prediction.choice == 1
    settle(path, ["i2", "i1"])
    assert [(entry.item.id, entry.error) for entry in read_records(path)] == [("i2", None), ("i1", None)]


def test_keys_never_reach_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-123")
    monkeypatch.setenv("MY_SERVICE_TOKEN", "opensesame99")
    path = tmp_path / "s" / "records.jsonl"
    monkeypatch.setenv("ODD_SECRET", 'pa"ss\\word한글')
    said = 'Wrong key: sk-test-123, opensesame99, sk-proj-abcdef1234567890, http://me:pw@host/v1, pa"ss\\word한글'
    write(path, record(1, error=said))
    write_manifest(tmp_path, manifest(suite={"model": "endpoint:x@http://me:pw@host/v1", "key": "sk-test-123"}))
    written = path.read_text() + (tmp_path / "manifest.json").read_text()
    for secret in ("sk-test-123", "opensesame99", "sk-proj", "me:pw", "word한글"):
        assert secret not in written
    json.loads((tmp_path / "manifest.json").read_text())


def test_ordinary_words_are_not_taken_for_keys(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    said = "hf-internal-testing/tiny, sk-learning is a pk-related word, a risk-averse sk-something-long-in-words"
    write(path, record(1, raw=said))
    assert said in path.read_text()


@pytest.mark.parametrize("before", ["", "\n", "\t", "는", "key-", "C:\\"])
def test_a_key_is_struck_out_whatever_stands_before_it(before: str) -> None:
    """In JSON, too, where a line break is a backslash and an n."""
    said = f"{before}sk-abcdefghij1234567890XYZ"
    for written in (said, json.dumps(said), json.dumps(said, ensure_ascii=False)):
        assert make_redactor()(written).replace(STRUCK_OUT, "sk-abcdefghij1234567890XYZ") == written
        assert "abcdefghij" not in make_redactor()(written)


def test_a_key_with_a_line_break_is_struck_out_however_it_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "0123456789abcdef\n")
    header = f"Illegal header value {os.environ['AZURE_OPENAI_API_KEY'].encode()!r}"
    assert "0123456789abcdef" not in make_redactor()(json.dumps({"error": header}))


def test_a_run_is_resumed_although_a_secret_is_in_its_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "kice_sample")
    ours = manifest(suite={"data": "kice_sample.json"})
    write_manifest(tmp_path, ours)
    assert read_manifest(tmp_path).differences(redacted(ours)) == []


def test_a_manifest_is_read_back_and_compared(tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest())
    assert read_manifest(tmp_path) == manifest()
    assert manifest().differences(manifest(started_utc="2027-01-01T00:00:00+00:00")) == []
    assert manifest().differences(manifest(seed=1)) == ["seed"]


def test_a_folder_that_is_no_run_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingResourceError, match="is not a run"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("{}", "the schema version None, not 2"),
        ('{"schema_version": "1"}', "the schema version '1', not 2"),
        ("[]", "schema"),
    ],
)
def test_a_damaged_manifest_is_said(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        read_manifest(tmp_path)


def test_a_record_is_on_the_disk_within_a_second_although_no_other_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "s" / "records.jsonl", threading.Event()
    sync = os.fsync

    def note(descriptor: int) -> None:
        sync(descriptor)
        if path.stat().st_size:
            synced.set()

    monkeypatch.setattr("os.fsync", note)
    with Journal(path) as journal:
        for number in range(2):
            synced.clear()
            journal.append(record(number))
            assert synced.wait(5), "the run has gone quiet"


def test_many_records_cost_few_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    started = time.monotonic()
    write(tmp_path / "records.jsonl", *(record(number) for number in range(500)))
    assert len(synced) <= 3 + (time.monotonic() - started) / 0.5


def test_a_disk_that_fails_to_sync_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ConfigurationError, match=r"records.jsonl cannot be written: Input/output error"):
        write(tmp_path / "records.jsonl", record(1))


def test_a_journal_that_cannot_be_read_is_said_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.mkdir()
    for read in (lambda: list(read_records(path)), lambda: read_outcomes(path)):
        with pytest.raises(ConfigurationError, match=r"records.jsonl cannot be read: Is a directory; make it"):
            read()
    with pytest.raises(ConfigurationError, match=r"records.jsonl cannot be written: Is a directory; "):
        settle(path, ["i1"])


def test_whether_anything_was_answered(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    assert not has_answers(path)
    write(path, record(1, error="TimeoutError: slow"))
    assert not has_answers(path)
    write(path, record(2))
    assert has_answers(path)
