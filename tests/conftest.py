"""What every test gets: no network beyond loopback, no tracing, no hub; and the real data where it is."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# How long an example takes is the machine's business, and what else runs on it.
settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite the golden files from what the code says now"
    )


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def closed_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn tracing off, forget the user's keys and refuse every connection that leaves this machine."""
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "false")
    for name in [name for name in os.environ if name.upper().endswith(("_API_KEY", "_BASE_URL", "_TOKEN", "_PROXY"))]:
        monkeypatch.delenv(name)

    def to_loopback(call: Any) -> Any:
        def guarded(self: socket.socket, address: Any) -> Any:
            host = address[0] if isinstance(address, tuple) else "localhost"
            if host not in ("127.0.0.1", "::1", "localhost"):
                raise ConnectionRefusedError(f"tests may only reach loopback, not {host}")
            return call(self, address)

        return guarded

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, to_loopback(getattr(socket.socket, name)))


@pytest.fixture
def shared_data() -> Path:
    """The folder of real exams, NLI pairs and recorded outputs, which the repository does not carry."""
    folder = os.environ.get("TUNE_OR_PROMPT_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("TUNE_OR_PROMPT_DATA names no folder of real data")
    return Path(folder)


NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture
def chromium(tmp_path):
    """A function that runs Chromium with the arguments and returns (stdout, stderr)."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    base = [
        found, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]  # fmt: skip

    def run(*arguments):
        done = subprocess.run([*base, *arguments], capture_output=True, text=True, timeout=120, check=True)
        return done.stdout, done.stderr

    return run
