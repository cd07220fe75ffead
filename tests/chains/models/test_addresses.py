"""What is found before a run: proxies, addresses, keys and `.env`, by whole commands against servers on loopback."""

import re
import socket
from pathlib import Path

import pytest

from chains.models.specs import key_names
from eval.cli.parser import main
from eval.rundir.manifest import read_manifest
from eval.rundir.priced_parts import priced_name
from tests.support.chat_endpoint import serve_chat
from tests.support.exam_file import exam, write_exam
from tests.support.fault_server import Faults, serve_faults
from tests.support.folders import ROOT
from tests.support.proxy_server import serve_proxy

KEY = "planted-secret-1"


def command(folder: Path, model: str) -> list[str]:
    write_exam(folder, exam(2, 5))
    data = ["--data", str(folder / "2030_11_KICE.json"), "--out", str(folder / "out")]
    return ["run", "kice", *data, "--chain", "kice-prompt", "--model", model]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ENDPOINT_API_KEY", "OPENAI_API_KEY"):  # what a test's .env brings is forgotten
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def dead() -> str:
    """An address on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    said = capsys.readouterr().err
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in said
    return line


# --- proxies


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_a_server_behind_a_proxy_is_asked_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with serve_chat(lambda _: "정답: 3번") as server, serve_proxy({"models.invalid": server.base_url[:-3]}) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        assert main(command(tmp_path, "endpoint:m@http://models.invalid/v1")) == 0
        assert len(server.requests) == 10
        assert proxy.asked.count("http://models.invalid/v1/chat/completions") == 10


def test_a_proxy_that_only_answers_calls_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_chat(lambda _: "정답: 3번") as server:
        monkeypatch.setenv("http_proxy", server.base_url[:-3])
        assert main(command(tmp_path, "endpoint:m@http://models.invalid/v1")) == 0
        assert len(server.requests) == 10


@pytest.mark.parametrize("refusal", [403, 407, 502, 503, 504])
def test_a_server_on_this_machine_that_a_proxy_does_not_reach_is_said_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    with serve_chat(lambda _: "정답: 3번") as server, serve_proxy(refusal=refusal) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", f"://me:{KEY}@"))
        arguments = command(tmp_path, f"endpoint:m@{server.base_url}")
        assert main(arguments) == 3
        line = error_line(capsys)
        assert f"the proxy {proxy.url} of HTTP_PROXY answers {refusal} for {server.base_url}; " in line
        assert "name 127.0.0.1 in NO_PROXY" in line and KEY not in line
        assert len(proxy.asked) == 1 and not server.requests and not (tmp_path / "out").exists()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert main(arguments) == 0
        assert len(proxy.asked) == 1 and len(server.requests) == 10


@pytest.mark.parametrize(
    ("variable", "model"),
    [
        ("http_proxy", "endpoint:m@http://127.0.0.1:1/v1"),
        ("HTTP_PROXY", "endpoint:m@http://models.invalid/v1"),
        ("all_proxy", "endpoint:m@http://models.invalid/v1"),
        ("https_proxy", "endpoint:m@https://models.invalid/v1"),
        ("HTTPS_PROXY", "openai:gpt-4o-mini"),
    ],
)
def test_a_proxy_that_does_not_answer_is_named_at_once(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    dead: str,
    variable: str,
    model: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv(variable, dead)
    assert main(command(tmp_path, model)) == 3
    line = error_line(capsys)
    assert f"the proxy {dead} of {variable} cannot be asked for " in line and "Connection refused" in line
    assert not (tmp_path / "out").exists()


def test_a_proxy_that_lets_no_connection_through_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_proxy(refusal=403) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        assert main(command(tmp_path, "endpoint:m@https://models.invalid/v1")) == 3
    assert f"the proxy {proxy.url} of https_proxy does not let https://models.invalid/v1 be asked" in error_line(capsys)


@pytest.mark.parametrize("value", ["ftp://127.0.0.1:1", "http://127.0.0.1:port", "not a proxy", "http://"])
def test_a_proxy_that_is_none_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("http_proxy", value)
    assert main(command(tmp_path, "endpoint:m@http://models.invalid/v1")) in (2, 3)
    assert "http_proxy" in error_line(capsys)
    assert not (tmp_path / "out").exists()


# --- keys


@pytest.mark.parametrize(
    ("key", "held"),
    [
        ("planted\u200bsecret", "U+200B (ZERO WIDTH SPACE)"),
        ("planted secret", "a space"),
        ("planted-secret ", "a space"),
        ("\ufeffplanted-secret", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
        ("planted\u00a0secret", "U+00A0 (NO-BREAK SPACE)"),
        ("비밀-planted", "U+BE44 (HANGUL SYLLABLE BI)"),
        ("planted-0001\nplanted-0002\n", "a line break"),
        ("planted\x01secret", "U+0001 (a control character)"),
    ],
)
@pytest.mark.parametrize("variable", ["ENDPOINT_API_KEY", "OPENAI_API_KEY"])
def test_a_key_that_cannot_be_one_is_refused_before_anything_is_sent(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    key: str,
    held: str,
) -> None:
    monkeypatch.setenv(variable, key)
    with serve_faults() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        model = "openai:gpt-4o" if variable.startswith("OPENAI") else f"endpoint:m@{server.base_url}"
        assert main(command(tmp_path, model)) == 2
        assert not server.attempts
    line = error_line(capsys)
    assert f"{variable}, the key, holds {held}; " in line and "planted" not in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ["Bücher", "abc\u200b"])
def test_a_header_that_cannot_be_sent_stops_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Not only the key goes into one; the model is code of the user's own here."""
    with serve_faults() as server:
        (tmp_path / "header_model.py").write_text(
            "from langchain_openai import ChatOpenAI\n"
            f"model = ChatOpenAI(model='m', base_url={server.base_url!r}, api_key='k', organization={value!r})\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(__import__("sys").modules, "header_model", raising=False)
        assert main(command(tmp_path, "header_model:model")) == 2
        assert not server.attempts
    character = next(c for c in value if not c.isascii())
    assert f"a header, and so most likely the key, holds U+{ord(character):04X}; 10 answers" in error_line(capsys)


@pytest.mark.parametrize(
    ("model", "variable"), [("endpoint:m@{}", "ENDPOINT_API_KEY"), ("openai:gpt-4o", "OPENAI_API_KEY")]
)
def test_a_refused_key_is_said_with_the_variable_that_holds_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    with serve_faults(Faults(refuse=(401, {"message": "no such key"}))) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        assert main(command(tmp_path, model.format(server.base_url))) == 2
    assert f"401: no such key; 10 answers are missing: correct the key ({variable}) and go on" in error_line(capsys)


def test_the_variable_of_an_endpoint_s_key_is_where_users_look() -> None:
    assert key_names("endpoint:m@http://localhost:1/v1") == ("ENDPOINT_API_KEY",)
    assert key_names("gpt") == ("OPENAI_API_KEY",) and key_names(None) == key_names("smollm2") == ()
    assert re.search(r"^ENDPOINT_API_KEY=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.M)
    assert "ENDPOINT_API_KEY" in (ROOT / "README.md").read_text(encoding="utf-8")


# --- .env


@pytest.mark.parametrize(
    "content",
    [
        "ENDPOINT_API_KEY=planted\n".encode("utf-16"),
        "ENDPOINT_API_KEY=planted\n".encode("utf-16-le"),
        b"ENDPOINT_API_KEY=planted\xff\n",
    ],
)
def test_an_env_file_in_another_encoding_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    (tmp_path / ".env").write_bytes(content)
    assert main(command(tmp_path, "endpoint:m@http://127.0.0.1:1/v1")) == 2
    assert error_line(capsys) == "error: .env is no text in UTF-8 (but perhaps in UTF-16); save it as UTF-8"


def test_a_mark_at_the_beginning_of_an_env_file_is_no_part_of_its_first_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ENDPOINT_API_KEY=planted\n", encoding="utf-8-sig")
    with serve_chat(lambda _: "정답: 3번") as server:
        assert main(command(tmp_path, f"endpoint:m@{server.base_url}")) == 0
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer planted"}


def test_a_folder_called_env_is_no_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with serve_chat(lambda _: "정답: 3번") as server:
        assert main(command(tmp_path, f"endpoint:m@{server.base_url}")) == 0


# --- addresses


def test_another_address_for_openai_s_models_is_in_the_manifest_and_has_no_price_of_openai_s(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serve_chat(lambda _: "정답: 3번") as server:
        arguments = command(tmp_path, "openai:gpt-4o-mini")
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        assert main([*arguments, "--max-cost", "1"]) == 2
        name = f"openai:gpt-4o-mini@{server.base_url}"
        assert f"the price of '{name}' is unknown; add it to a price table" in error_line(capsys)
        assert not server.requests
        assert main([*arguments, "--dry-run"]) == 0
        assert "cost unknown" in capsys.readouterr().out
        assert main(arguments) == 0
        assert "price unknown" in capsys.readouterr().out
        (about,) = read_manifest(tmp_path / "out").systems.values()
        assert about.model is not None and about.model.base_url == server.base_url
        assert f"no price for the model {name}" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")

        prices = tmp_path / "prices.yaml"
        prices.write_text(f'as_of: "2026"\nsource: made up\nmodels:\n  "{name}": {{input: 1, output: 1}}\n')
        monkeypatch.setenv("TUNE_OR_PROMPT_PRICES", str(prices))
        assert main([*command(tmp_path, "gpt"), "--max-cost", "1", "--out", str(tmp_path / "priced")]) == 0
        assert "price unknown" not in capsys.readouterr().out


def test_nothing_at_another_address_is_found_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, dead: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", f"{dead}/v1")
    assert main(command(tmp_path, "openai:gpt-4o-mini")) == 3
    assert f"nothing answers at {dead}/v1" in error_line(capsys)
    for address in ("localhost:8000/v1", "http://a..b/v1", "http://localhost:port/v1", "http://"):
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        assert main(command(tmp_path, "openai:gpt-4o-mini")) in (2, 3)
        assert "of a server" in (line := error_line(capsys)) or "nothing answers" in line


@pytest.mark.parametrize("host", ["..", "a" * 80, "a\u200b..b", "%zz", "서버.invalid"])
@pytest.mark.parametrize("proxied", [False, True])
def test_a_host_that_is_no_name_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    dead: str,
    host: str,
    proxied: bool,
) -> None:
    if proxied:
        monkeypatch.setenv("http_proxy", dead)
    assert main(command(tmp_path, f"endpoint:m@http://{host}/v1")) in (2, 3)
    assert error_line(capsys)
    assert not (tmp_path / "out").exists()


def test_openai_s_own_addresses_have_openai_s_prices() -> None:
    name = "openai:gpt-4o"
    for address in (None, "https://api.openai.com/v1", "https://eu.api.openai.com/v1"):
        assert priced_name(name, address) == name
    for address in ("http://127.0.0.1:1/v1", "https://api.openai.com.example.org/v1", "https://openrouter.ai/api/v1"):
        assert priced_name(name, address) == f"{name}@{address}"
    assert priced_name("xai:grok", "https://api.x.ai/v1") == "xai:grok"
