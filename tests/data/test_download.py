"""Fetching, against a real server on loopback: resumed, broken off, wrong, unreachable, already there."""

import hashlib
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data import download
from data.common.errors import ConfigurationError, MissingResourceError
from data.download import EXAMS, PublishedExam, fetch
from data.kice import YEARS

EXAM = b"an exam " * 50_000  # more than one block
PATH = "/c0ffee/data/2023_11_KICE.json"


class ExamServer(ThreadingHTTPServer):
    """Serves `files`; may break off after `break_after` bytes, and may not know how to resume."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ExamRequests)
        self.files: dict[str, bytes] = {}
        self.break_after: int | None = None
        self.resumes = True
        self.ranges: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class ExamRequests(BaseHTTPRequestHandler):
    server: ExamServer

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        body = self.server.files.get(self.path)
        if body is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.resumes else 0
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        end = len(body) if self.server.break_after is None else start + self.server.break_after
        self.wfile.write(body[start:end])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ExamServer]:
    monkeypatch.setitem(EXAMS, "2023", PublishedExam("c0ffee", hashlib.sha256(EXAM).hexdigest()))
    monkeypatch.setenv("no_proxy", "*")
    with ExamServer() as running:
        running.files[PATH] = EXAM
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def fetch_2023(folder: Path, server: ExamServer) -> Path:
    [path] = fetch("kice-2023", folder, base_url=server.url)
    return path


def test_fetches_to_the_folder_and_leaves_nothing_else(tmp_path: Path, server: ExamServer) -> None:
    path = fetch_2023(tmp_path / "new", server)
    assert path == tmp_path / "new" / "2023_11_KICE.json"
    assert path.read_bytes() == EXAM
    assert list(path.parent.iterdir()) == [path]


def test_what_is_already_there_is_not_fetched_again(
    tmp_path: Path, server: ExamServer, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch_2023(tmp_path, server)
    fetch_2023(tmp_path, server)
    assert len(server.ranges) == 1
    assert "already there, with the right SHA-256" in capsys.readouterr().err


def test_another_file_of_that_name_is_left_alone(tmp_path: Path, server: ExamServer) -> None:
    mine = tmp_path / "2023_11_KICE.json"
    mine.write_text("my own corrections", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"is not the published exam.*move it away first"):
        fetch_2023(tmp_path, server)
    assert mine.read_text(encoding="utf-8") == "my own corrections"
    assert server.ranges == []


def test_a_transfer_that_broke_off_is_resumed(tmp_path: Path, server: ExamServer) -> None:
    server.break_after = 100_000
    with pytest.raises(MissingResourceError, match=r"broke off after 100000 of 400000 bytes; run it again to resume"):
        fetch_2023(tmp_path, server)
    assert [file.name for file in tmp_path.iterdir()] == ["2023_11_KICE.json.part"]
    server.break_after = None
    assert fetch_2023(tmp_path, server).read_bytes() == EXAM
    assert server.ranges == [None, "bytes=100000-"]
    assert [file.name for file in tmp_path.iterdir()] == ["2023_11_KICE.json"]


def test_a_server_that_cannot_resume_sends_all_of_it(tmp_path: Path, server: ExamServer) -> None:
    (tmp_path / "2023_11_KICE.json.part").write_bytes(EXAM[:1000])
    server.resumes = False
    assert fetch_2023(tmp_path, server).read_bytes() == EXAM


def test_a_complete_partial_file_only_needs_its_name(tmp_path: Path, server: ExamServer) -> None:
    (tmp_path / "2023_11_KICE.json.part").write_bytes(EXAM)
    assert fetch_2023(tmp_path, server).read_bytes() == EXAM


@pytest.mark.parametrize("start", [b"", b"something else", EXAM + b"and more"])
def test_wrong_bytes_never_get_the_name(tmp_path: Path, server: ExamServer, start: bytes) -> None:
    if start:
        (tmp_path / "2023_11_KICE.json.part").write_bytes(start)
    else:
        server.files[PATH] = EXAM.replace(b"exam", b"joke")
    with pytest.raises(MissingResourceError, match=r"expected [0-9a-f]{64}; they were deleted"):
        fetch_2023(tmp_path, server)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_has_no_such_file(tmp_path: Path, server: ExamServer) -> None:
    server.files.clear()
    with pytest.raises(MissingResourceError, match="the server answered 404"):
        fetch_2023(tmp_path / "new", server)
    assert list(tmp_path.iterdir()) == []


def test_offline_is_said_and_nothing_is_written(tmp_path: Path, server: ExamServer) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), ExamRequests) as closed:
        nobody = f"http://127.0.0.1:{closed.server_port}"
    with pytest.raises(MissingResourceError, match=r"cannot fetch http.*refused.*download it elsewhere and put it at"):
        list(fetch("kice-2023", tmp_path / "new", base_url=nobody))
    assert list(tmp_path.iterdir()) == []


def test_a_silent_server_is_given_up_on(tmp_path: Path, server: ExamServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "TIMEOUT_S", 0.2)
    server.shutdown()  # the socket still listens, and nobody answers
    with pytest.raises(MissingResourceError, match="timed out"):
        fetch_2023(tmp_path, server)


def test_a_folder_that_cannot_be_made(tmp_path: Path, server: ExamServer) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"cannot write .*--to DIR"):
        fetch_2023(tmp_path / "file" / "folder", server)


def test_one_name_stands_for_all_years(tmp_path: Path, server: ExamServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for year in YEARS:
        exam = f"exam of {year}".encode()
        monkeypatch.setitem(EXAMS, year, PublishedExam(year, hashlib.sha256(exam).hexdigest()))
        server.files[f"/{year}/data/{year}_11_KICE.json"] = exam
    fetched = list(fetch("kice", tmp_path, base_url=server.url))
    assert [path.name[:4] for path in fetched] == list(YEARS)


def test_an_unknown_name_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown data to fetch 'kice-2035'.*kice-2015"):
        list(fetch("kice-2035", tmp_path))


def test_every_year_is_pinned() -> None:
    assert tuple(EXAMS) == YEARS
    assert len({exam.sha256 for exam in EXAMS.values()}) == len(YEARS)
    assert all(len(exam.commit) == 40 and len(exam.sha256) == 64 for exam in EXAMS.values())


@pytest.mark.shared_data
def test_the_real_exams_have_the_pinned_sha256(
    tmp_path: Path, shared_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exams = sorted((shared_data / "kice").glob("*_KICE.json"))
    for exam in exams:
        shutil.copy(exam, tmp_path)
        assert list(fetch(f"kice-{exam.name[:4]}", tmp_path)) == [tmp_path / exam.name]
    assert capsys.readouterr().err.count("already there") == len(exams)
