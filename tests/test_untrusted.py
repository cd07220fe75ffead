"""Hostile texts in data, ids and replies, and planted keys, through every command: none takes effect anywhere."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from data.common.secrets import STRUCK_OUT
from data.common.text import normalised, plain
from eval.cli.parser import main
from tests.support.folders import ROOT

KEYS = {
    "ENDPOINT_API_KEY": "planted-endpoint-key-of-mine",
    "OPENAI_API_KEY": "sk-proj-planted0123456789abcdef",
    "MY_PASSWORD": 'planted "quoted\\" 비밀번호',
}
UNKNOWN_KEY = "sk-planted-that-no-variable-holds-42"  # what only a server says
CONTROLS = "\x1b[31mred\x1b]0;taken\x07 \x9b31m \x00 \x7f \u202egnp.exe\u2066"
TEMPLATES = "{x} {{7*7}} {{ cycler.__init__.__globals__ }} ${7*7} %s %(x)s {0.__class__}"
FORMULA = '=HYPERLINK("http://127.0.0.1/","x")'
FORMULAS = ["+cmd|' /C calc'!A0", "@SUM(1+1)", "-2+3", "\t=1+1", "\n=1+1", "\r@x", "\x1b=1+1", "＝1+1", "＠SUM(1)"]
SURROGATE = "\ud800"
LONG = 10_000_000
# Whatever a terminal would obey, or a reader would be deceived by.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
IDS = [
    "../../x",
    "/tmp/x",
    "..",
    "<script>document.title='taken'</script>",
    CONTROLS,
    TEMPLATES,
    FORMULA,
    *FORMULAS,
    "-rf",
    "long",
]


class Hostile(NamedTuple):
    """A server that says hostile things, and what reached it."""

    address: str
    prompts: list[str]
    keys: list[str | None]
    visits: list[str]  # GETs, which only a page that takes effect would send
    traces: list[str]  # what LangSmith would be sent

    def markup(self) -> str:
        leak = f"{self.address}/leak"
        return (
            f"<script>document.title='taken';fetch('{leak}/fetch')</script><img src='{leak}/img' "
            f"onerror=\"document.title='taken'\"><style>@import '{leak}/css';</style><b id=bold>b</b>"
        )


@contextmanager
def serve_hostile() -> Iterator[Hostile]:
    """Answer with the third label behind hostile text, or refuse as the prompt asks for."""
    prompts: list[str] = []
    keys: list[str | None] = []
    visits: list[str] = []
    traces: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self.path.endswith("/chat/completions"):
                traces.append(body.decode(errors="replace"))
                self._send(202, {})
                return
            prompt = json.loads(body)["messages"][-1]["content"]
            prompts.append(prompt)
            keys.append(self.headers["Authorization"])
            told = f"{self.headers['Authorization']} {UNKNOWN_KEY} {KEYS['MY_PASSWORD']}"
            said = f"{SURROGATE} {CONTROLS} {told} {hostile.markup()}"
            if "REFUSE ALL" in prompt:
                self._send(401, {"error": {"message": f"Incorrect API key provided: {said}"}})
            elif "REFUSE THIS" in prompt:
                self._send(400, {"error": {"message": f"content_filter: {said}", "code": "content_filter"}})
            else:
                first = next((formula for formula in FORMULAS if f"Premise: {normalised(formula)}\n" in prompt), "")
                more = "z" * LONG if "ANSWER AT LENGTH" in prompt else ""
                self._send(200, _completion(f"{first}{said} {TEMPLATES} {FORMULA} {SURROGATE} {more} contradiction"))

        def do_GET(self) -> None:
            visits.append(self.path)
            self._send(200, {})

        def _send(self, status: int, content: dict[str, Any]) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("x-planted", f"Bearer {UNKNOWN_KEY}")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    hostile = Hostile(f"http://127.0.0.1:{server.server_port}", prompts, keys, visits, traces)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hostile
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def write_benchmark(folder: Path, hostile: Hostile) -> None:
    """Write a benchmark of one's own whose every text, ids included, is hostile."""
    premises = [hostile.markup() + CONTROLS, CONTROLS, TEMPLATES, FORMULA, " ".join(KEYS.values()), "an ordinary one"]
    premises += ["REFUSE THIS", *FORMULAS, "ANSWER AT LENGTH", "long"]
    (folder / "hostile_texts.json").write_text(json.dumps([IDS, premises]), encoding="utf-8")
    (folder / "hostile_benchmark.py").write_text(
        textwrap.dedent(f"""
        import json
        from pathlib import Path
        from data.mnli import BENCHMARK
        from data.types import Item

        def load(split=None, path=None):
            ids, premises = json.loads(Path(__file__).with_name("hostile_texts.json").read_text(encoding="utf-8"))
            premises[-1] += "y" * {LONG}
            return [
                Item(id=id, inputs={{"premise": premise, "hypothesis": {TEMPLATES!r}}}, target=2, group=id, tags=(id,),
                     choices=BENCHMARK.labels)
                for id, premise in zip(ids, premises, strict=True)
            ]
        """),
        encoding="utf-8",
    )


class Place(NamedTuple):
    """Where the commands run, in a folder of its own below one that must stay as it is."""

    folder: Path
    run: Path
    hostile: Hostile

    def command(self, *arguments: str, code: int = 0) -> str:
        """Run a command, check what it prints, and return its standard output; its messages where it is to fail."""
        with (
            pytest.MonkeyPatch.context() as patched,
            redirect_stdout(io.StringIO()) as out,
            redirect_stderr(io.StringIO()) as said,
        ):
            patched.chdir(self.folder)
            patched.syspath_prepend(str(self.folder))
            for name, key in KEYS.items():
                patched.setenv(name, key)
            ended = main(arguments)
        return checked(ended, out.getvalue(), said.getvalue(), code)

    def process(self, *arguments: str, code: int = 0) -> str:
        """Do the same as `python -m eval` does it."""
        environment = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_TOKEN"))}
        environment |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{self.folder}", "PYTHONDONTWRITEBYTECODE": "1", **KEYS}
        done = subprocess.run(
            [sys.executable, "-m", "eval", *arguments],
            cwd=self.folder, env=environment, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        return checked(done.returncode, done.stdout.decode(), done.stderr.decode(), code)

    def asked(self, *more: str, benchmark: str = "hostile_benchmark:BENCHMARK") -> list[str]:
        who = ["--chain", "mnli-zero-shot", "--model", f"endpoint:m@{self.hostile.address}/v1"]
        return ["run", benchmark, *who, *more]


def checked(ended: int, out: str, said: str, code: int) -> str:
    """Check how a command ended and that nothing it printed works or tells a key."""
    assert ended == code, said[-3000:]
    for printed in (out, said):
        assert OBEYED.findall(printed) == []
        assert secrets_in(printed) == []
    return out if code == 0 else said


def secrets_in(text: str) -> list[str]:
    forms = [form for key in (*KEYS.values(), UNKNOWN_KEY) for form in (key, json.dumps(key)[1:-1])]
    return [form for form in forms if form in text]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("outer") / "in" / "deep"
    folder.mkdir(parents=True)
    with serve_hostile() as hostile:
        write_benchmark(folder, hostile)
        made = Place(folder, folder / "run", hostile)
        made.process(*made.asked("--out", "run", "--max-errors", "1"))
        yield made


def test_nothing_is_written_but_the_run_and_no_file_holds_a_key(place: Place) -> None:
    written = {path for path in place.folder.parent.parent.rglob("*") if path.is_file()}
    assert {path for path in written if place.run not in path.parents} == {
        place.folder / "hostile_benchmark.py",
        place.folder / "hostile_texts.json",
    }
    (journal,) = (path for path in written if path.name == "records.jsonl")
    assert {path.relative_to(place.run).parts[0] for path in written if place.run in path.parents} <= {
        journal.parent.name, "manifest.json", "summary.json", "report.md", "report.html",
    }  # fmt: skip
    for path in written:
        if place.run in path.parents:
            assert secrets_in(path.read_text(encoding="utf-8")) == [], path


def test_data_is_sent_as_it_is_read_and_no_template_of_it_is_evaluated(place: Place) -> None:
    assert set(place.hostile.keys) == {f"Bearer {KEYS['ENDPOINT_API_KEY']}"}  # the key was really sent
    for text in (TEMPLATES, FORMULA, CONTROLS, place.hostile.markup() + CONTROLS):
        assert any(f"Premise: {normalised(text)}\n" in prompt for prompt in place.hostile.prompts)
    assert max(map(len, place.hostile.prompts)) > LONG


def test_every_answer_is_read_and_journaled_as_text(place: Place) -> None:
    lines = next(place.run.glob("*/records.jsonl")).read_text(encoding="utf-8").splitlines()
    records = {record["item"]["id"]: record for record in map(json.loads, lines)}
    assert list(records) == IDS
    failed = [id for id, record in records.items() if record["error"]]
    assert failed == [FORMULA]
    assert {record["prediction"]["choice"] for id, record in records.items() if id != FORMULA} == {2}
    assert all(TEMPLATES in record["prediction"]["raw"] for id, record in records.items() if id != FORMULA)


@pytest.mark.parametrize("form", ["text", "md", "html", "json"])
def test_reports_print_nothing_that_works(place: Place, form: str) -> None:
    printed = place.command("report", "run", "--format", form)
    assert printed.count("<script>") == (form == "html") if form != "json" else json.loads(printed)  # the page's own


def test_no_cell_of_the_table_of_answers_is_a_formula(place: Place) -> None:
    csv.field_size_limit(2 * LONG)
    rows = list(csv.DictReader(io.StringIO(place.command("report", "run", "--format", "csv"), newline="")))
    assert [row["item_id"].removeprefix("'") for row in rows] == [plain(id) for id in IDS]
    assert max(len(row["raw"]) for row in rows) > LONG
    assert all(TEMPLATES in row["raw"] or row["error"] for row in rows)
    assert sum(row["raw"].startswith(("'", "'\t", "'\n")) for row in rows) == len(FORMULAS)
    assert [cell for row in rows for cell in row.values() if cell.startswith(tuple("=+-@\t\n＝＋－＠"))] == []


@pytest.mark.parametrize("item", IDS)
def test_an_item_is_shown_whatever_its_id(place: Place, item: str) -> None:
    shown = place.command("show", "run", "--", item)
    assert TEMPLATES in shown
    assert json.loads(place.command("show", "run", "--json", "--", item))["item"]["id"] == item


@pytest.mark.parametrize("arguments", [["compare", "run", "run"], ["rescore", "run"], ["list"]])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_other_commands_print_nothing_that_works(place: Place, arguments: list[str], form: list[str]) -> None:
    place.command(*arguments, *form)


def test_an_estimate_shows_the_first_prompt_without_what_works_in_it(place: Place) -> None:
    assert "<script>" in place.command(*place.asked("--dry-run"))  # a terminal runs no markup
    json.loads(place.command(*place.asked("--dry-run", "--json")))


@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_what_a_server_says_of_a_refusal_is_no_way_in(place: Place, debug: list[str], tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(json.dumps({"premise": "REFUSE ALL", "hypothesis": "h", "label": "neutral"}) + "\n")
    arguments = place.asked("--data", str(pairs), "--out", str(tmp_path / "refused"), *debug, benchmark="mnli")
    said = place.process(*arguments, code=1 if debug else 2)
    assert "Incorrect API key provided" in said
    assert ("Traceback" in said) == bool(debug)
    assert len(said.splitlines()) > 5 or not debug


def test_an_error_repeats_a_name_without_what_works_in_it(place: Place) -> None:
    name = f"no-{CONTROLS}".replace("\x00", "")
    for arguments in (
        ["show", "run", name],
        ["run", name, "--baseline", "x"],
        ["report", name],
        ["run", f"{name}.yaml"],
    ):
        place.command(*arguments, code=3 if arguments[0] == "report" else 2)


def test_no_trace_tells_a_key(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "LANGSMITH_TRACING": "true",
        "LANGCHAIN_TRACING_V2": "true",
        "LANGSMITH_ENDPOINT": place.hostile.address,
        "LANGSMITH_DISABLE_RUN_COMPRESSION": "true",
    }.items():
        monkeypatch.setenv(name, value)
    pairs = tmp_path / "pairs.jsonl"
    rows = [{"premise": premise, "hypothesis": "h", "label": "neutral"} for premise in ("ordinary", "REFUSE THIS")]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = ["--data", str(pairs), "--out", str(tmp_path / "traced"), "--max-errors", "1"]
    place.process(*place.asked(*out, benchmark="mnli"))
    sent = "".join(place.hostile.traces)
    assert "Premise: REFUSE THIS" in sent and "content_filter" in sent and STRUCK_OUT in sent
    assert secrets_in(sent) == []


@pytest.mark.browser
def test_the_page_runs_nothing_and_asks_for_nothing(place: Place, chromium: Any, tmp_path: Path) -> None:
    page = (place.run / "report.html").read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy and "default-src 'none'" in policy[1] and "unsafe" not in policy[1]
    bare = tmp_path / "bare.html"
    bare.write_text(f"<body>{place.hostile.markup()}")
    reach = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    chromium(reach, "--dump-dom", bare.as_uri())
    assert "/leak/img" in place.hostile.visits  # what is asked for is seen here
    place.hostile.visits.clear()
    settled = "--virtual-time-budget=20000"  # the items are unpacked after the page has loaded
    document, _ = chromium(reach, "--dump-dom", settled, (place.run / "report.html").as_uri())
    assert place.hostile.visits == []
    assert "<title>taken" not in document
    assert "<b id" not in document and "<img" not in document and "<script>document" not in document
    assert 'data-ready="items"' in document  # the items were unpacked and drawn
    assert "&lt;script&gt;" in document


@pytest.mark.parametrize("debug", [[], ["--debug"]])
@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "check", "{key}.json"],
        ["finetune", "eda", "--data", "{key}", "--out", "eda"],
        ["retrievers", "search", "{key}", "a query"],
        ["eval", "run", "kice", "--data", "{key}", "--chain", "kice-prompt", "--model", "smollm2"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_no_command_line_tells_a_key(arguments: list[str], debug: list[str], tmp_path: Path) -> None:
    key = "of-nobody-at-all-57"
    command = [sys.executable, "-m", *(part.format(key=key) for part in arguments), *debug]
    environment = {**os.environ, "SOME_API_KEY": key, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert ended.returncode != 0
    assert key not in ended.stdout + ended.stderr
    assert STRUCK_OUT in ended.stderr
    assert ("Traceback" in ended.stderr) == bool(debug)
