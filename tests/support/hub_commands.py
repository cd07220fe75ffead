"""Commands against a hub: each in a process of its own, forked from one that the client libraries were imported into.

huggingface_hub, datasets and transformers read where the hub and the cache are when they are imported, which takes
seconds: so an environment has a process that imports them once, and every command starts at once from there.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from tests.support.folders import ROOT

LIMIT_S = 300.0  # a hang, on any machine
PIPE_BYTES = 2048  # what a pipe takes whole; an answer is filled up to it
# What the commands use of the heavy libraries.
IMPORTED = (
    "datasets",
    "transformers",
    "torch",
    "data.hub_tables",
    "eval.cli.commands",
    "eval.cli.parser",
    "eval.execution.runner",
    "eval.report",
    "finetune.classifier",
    "finetune.train",
)


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str


class Commands:
    """Starts commands in one environment."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self, module: str, *arguments: str | Path, folder: Path) -> Done:
        """Run a command: `module` has its `main`, and `folder` is where it is started."""
        (done,) = self.together([(module, *arguments)], folder=folder)
        return done

    def together(
        self, asked: Sequence[tuple[str | Path, ...]], *, folder: Path, patience_s: float = 60.0
    ) -> list[Done]:
        """Run several commands at the same time, each a module and its arguments; return them in the same order.

        Args:
            asked: The commands.
            folder: What they are started in.
            patience_s: Seconds that they wait for a hub that is silent.
        """
        assert self._process.stdin and self._process.stdout
        folder.mkdir(exist_ok=True)
        for number, (module, *arguments) in enumerate(asked):
            line = {"number": number, "module": module, "arguments": [*map(str, arguments)], "folder": str(folder)}
            line["patience_s"] = patience_s
            self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        done: dict[int, Done] = {}
        while len(done) < len(asked):
            ready, _, _ = select.select([self._process.stdout], [], [], LIMIT_S)
            assert ready, f"of {asked}, {sorted(done)} ended within {LIMIT_S:.0f} s"
            answer = json.loads(os.read(self._process.stdout.fileno(), PIPE_BYTES))
            done[answer["number"]] = Done(answer["code"], *map(_taken, answer["paths"]))
        return [done[number] for number in range(len(asked))]


@contextmanager
def commands(*, hub: str, home: Path, **environment: str) -> Iterator[Commands]:
    """Start commands of an environment in which the hub is at `hub` and its cache at `home`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    env = kept | {"HF_ENDPOINT": hub, "HF_HOME": str(home), "TOKENIZERS_PARALLELISM": "false"} | environment
    program = [sys.executable, "-m", "tests.support.hub_commands"]
    with subprocess.Popen(
        program, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Commands(process)
        finally:
            process.kill()


def _taken(path: str) -> str:
    text = Path(path).read_text(encoding="utf-8")
    Path(path).unlink()
    return text


def _serve() -> None:
    for name in IMPORTED:
        import_module(name)
    for line in sys.stdin:
        if os.fork() == 0:
            _watch(json.loads(line))


def _watch(asked: dict) -> None:
    """Start a command and say how it ended, in one write so that those of others do not come between."""
    paths = [f"{asked['folder']}.{asked['number']}.{name}" for name in ("out", "err")]
    child = os.fork()
    if child == 0:
        _command(asked, paths)
    _, status = os.waitpid(child, 0)
    answer = {"number": asked["number"], "code": os.waitstatus_to_exitcode(status), "paths": paths}
    os.write(1, json.dumps(answer).encode().ljust(PIPE_BYTES))
    os._exit(0)


def _command(asked: dict, paths: list[str]) -> None:
    code = 70
    try:
        for descriptor, path in zip((1, 2), paths, strict=True):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(asked["folder"])
        _wait(asked["patience_s"])
        code = import_module(asked["module"]).main(asked["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 70
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(patience_s: float) -> None:
    """Wait so long for a hub that is silent, where a user waits for a few seconds: a busy machine is no silent hub."""
    import huggingface_hub.constants

    import data.common.hub

    huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT = patience_s  # type: ignore[assignment]
    data.common.hub.HUB_DEADLINE_S = patience_s


if __name__ == "__main__":
    _serve()
