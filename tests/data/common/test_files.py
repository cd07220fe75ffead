"""Files and folders: there whole or not at all, locked by one process, and faults that name what to do."""

from pathlib import Path

import pytest
from filelock import FileLock
from pydantic import BaseModel, ValidationError

from data.common.errors import ConfigurationError, first_fault
from data.common.files import LOCK_FILE, locked, sole_writer, whole_folder, write_atomically, write_json


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "out") as folder:
        (folder / "half").write_text(str(1 / 0))
    assert list(tmp_path.iterdir()) == []
    with whole_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("whole")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "file").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_holds_something_is_replaced_only_under_a_lock(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept").touch()
    (tmp_path / ".out.killed.part").mkdir()
    with pytest.raises(OSError, match="not empty"), whole_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out" / "kept").exists()
    with whole_folder(tmp_path / "out", alone=True) as folder:
        (folder / "new").touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]
    assert not (tmp_path / ".out.killed.part").exists()


def test_a_lock_that_another_holds_is_one_line(tmp_path: Path) -> None:
    held, refused = FileLock(tmp_path / "lock"), pytest.raises(ConfigurationError, match="busy")
    with held, refused, locked(tmp_path / "lock", "move", busy="busy"):
        pass
    with locked(tmp_path / "folder" / "lock", "move"):
        assert (tmp_path / "folder").is_dir()
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigurationError, match=r"cannot be written: .*; move"),
        locked(tmp_path / "file/lock", "move"),
    ):
        pass


def test_a_folder_has_one_writer_and_its_lock_goes_with_it(tmp_path: Path) -> None:
    with sole_writer(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK_FILE).exists()
        with pytest.raises(ConfigurationError, match="is in use"), sole_writer(tmp_path / "run"):
            pass
    assert list((tmp_path / "run").iterdir()) == []


def test_secrets_are_struck_out_of_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN_API_KEY", "a-key-of-mine")
    write_atomically(tmp_path / "file", "told a-key-of-mine")
    assert (tmp_path / "file").read_text() == "told [redacted]"
    write_json(tmp_path / "file.json", {"이름": 1})
    assert (tmp_path / "file.json").read_text(encoding="utf-8") == '{\n  "이름": 1\n}\n'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "file.json"]


def test_the_first_fault_is_a_line_without_what_was_given() -> None:
    class Inner(BaseModel, extra="forbid"):
        count: int

    class Outer(BaseModel):
        inner: list[Inner]

    with pytest.raises(ValidationError) as raised:
        Outer.model_validate({"inner": [{"count": "sk-secret"}]})
    fault = first_fault(raised.value)
    assert (fault.place, fault.value, fault.is_unknown) == ("inner.0.count", "sk-secret", False)
    assert str(fault).startswith("inner.0.count: Input should be a valid integer") and "sk-secret" not in str(fault)
    with pytest.raises(ValidationError) as raised:
        Inner.model_validate({"count": 1, "other": 2})
    assert first_fault(raised.value).is_unknown
