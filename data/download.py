"""Fetches the published exams: pinned by commit and SHA-256, atomically, and resumably.

In comes a name ("kice-2023", or "kice" for all years); out comes `<folder>/2023_11_KICE.json`. Bytes go to
a `.part` file, which an interrupted transfer leaves and the next one continues; only a file whose SHA-256 is
the pinned one gets the final name. Exam text belongs to KICE: it is fetched to be used, never committed.
"""

from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from data.common.errors import ConfigurationError, MissingResourceError, unknown_name
from data.common.files import sha256_of
from data.common.terminal import say
from data.kice import DATA_DIR, YEARS, exam_path

BASE_URL = "https://raw.githubusercontent.com/NomaDamas/KICE_slayer_AI_Korean"
TIMEOUT_S = 10.0
BLOCK_BYTES = 1 << 16
RANGE_NOT_SATISFIABLE = 416
PARTIAL_CONTENT = 206


class PublishedExam(NamedTuple):
    """Which bytes are meant: the commit they were published at, and their SHA-256 (hex)."""

    commit: str
    sha256: str


_MAIN = "8a3a5b91cf5f6080ff8eccc404a58980b2d8e459"
EXAMS: dict[str, PublishedExam] = {
    "2015": PublishedExam(_MAIN, "3e29b149a2a7cbfe06bc8076ae68fd23b94a20c529f9c38daf369c849ba95af1"),
    "2016": PublishedExam(_MAIN, "997dee42b355f576cc2c184427a71f76143273db4ae4e1638b59fb7fb6bf33b5"),
    "2017": PublishedExam(_MAIN, "141c4042f5fc7596094fe77c2b39d38cc29b6d4ac1e20f0865d0016532d7fb14"),
    "2018": PublishedExam(_MAIN, "d58b96c2c3f386af6c7bfc49dec22531e3e275c0a3c99f6f8b5f21455caa5eb9"),
    "2019": PublishedExam(
        "d68265094ae4c12ec70711a81a78f88165ad5cee", "5890181455b44dccd48b22cca20622868476b254ac3ac0cb17495b39b8730809"
    ),
    "2020": PublishedExam(_MAIN, "06e3805a8c4eee23911f772d66c76d713d8f4a480747e23617c68d9baeaaa2c5"),
    "2021": PublishedExam(_MAIN, "3f2ad9cf2f5bac368cf498f53828992d789b8033a43c73aab0d8231c928738ac"),
    "2022": PublishedExam(
        "c652b928c7b502d2d02be629ae360686e3ad01e8", "c92740f9abbc624f5846d1c7c6475499b86568ed9386f8836f054cb7b3f0338d"
    ),
    "2023": PublishedExam(
        "47b310e7e1950cb89dd856f87d39398bc453d8ed", "4e95b48be0bc240fa3b5380b15d4dfa3d41f066bebba0007e351f9702f81b421"
    ),
    "2024": PublishedExam(_MAIN, "919db50aec7983b939a754839fc0ac4d40a6aaf629466c83877f74b266858ddd"),
}

NAMES = ("kice", *(f"kice-{year}" for year in YEARS))


def fetch(name: str, to: Path = DATA_DIR, *, base_url: str = BASE_URL) -> Iterator[Path]:
    """Yield the path of each exam that a name stands for as soon as it is there, fetching what is not.

    Args:
        name: "kice-2023" and the like, or "kice" for all ten years.
        to: The folder that the files go to; made where it is missing.
        base_url: What `/<commit>/data/<year>_11_KICE.json` is appended to.

    Raises:
        ConfigurationError: Unknown name, a folder that cannot be written, or another file in the way.
        MissingResourceError: The network cannot be reached, the transfer broke off, or other bytes came.
    """
    if name not in NAMES:
        raise unknown_name("data to fetch", name, NAMES)
    for year in YEARS if name == "kice" else (name.removeprefix("kice-"),):
        target = exam_path(year, to)
        if target.exists():
            _check_present(target, EXAMS[year].sha256)
            say(f"{target} is already there, with the right SHA-256")
        else:
            _fetch_file(f"{base_url}/{EXAMS[year].commit}/data/{target.name}", target, sha256=EXAMS[year].sha256)
        yield target


def _check_present(target: Path, sha256: str) -> None:
    found = sha256_of(target)
    if found != sha256:
        # It may be the user's own exam, or their corrections to this one: not ours to overwrite.
        raise ConfigurationError(
            f"{target} is there but is not the published exam (SHA-256 {found}, expected {sha256}); move it away first"
        )


def _fetch_file(url: str, target: Path, *, sha256: str) -> None:
    part = target.with_name(f"{target.name}.part")
    say(f"fetching {url}")
    try:
        _transfer(url, part)
    except HTTPError as error:
        raise MissingResourceError(f"cannot fetch {url}: the server answered {error.code} {error.reason}") from error
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise ConfigurationError(f"cannot write {part}: {error.strerror}; choose a folder with --to DIR") from error
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise MissingResourceError(
            f"cannot fetch {url}: {reason}; run it again to resume, or download it elsewhere and put it at {target}"
        ) from error
    found = sha256_of(part)
    if found != sha256:
        part.unlink()  # resuming wrong bytes would never come right
        raise MissingResourceError(
            f"{url} gave bytes with SHA-256 {found}, expected {sha256}; they were deleted, run it again to start afresh"
        )
    part.replace(target)


def _transfer(url: str, part: Path) -> None:
    """Append what is missing of `url` to a partial file, or start over where the server does not resume."""
    start = part.stat().st_size if part.is_file() else 0
    try:
        response = _open(url, start)
    except HTTPError as error:
        if start == 0 or error.code != RANGE_NOT_SATISFIABLE:
            raise
        return  # nothing lies beyond what is here: its SHA-256 decides
    part.parent.mkdir(parents=True, exist_ok=True)
    received = 0
    with response, part.open("ab" if response.status == PARTIAL_CONTENT else "wb") as file:
        announced = response.headers.get("Content-Length")
        while block := response.read(BLOCK_BYTES):
            file.write(block)
            received += len(block)
    if announced is not None and received < int(announced):
        raise HTTPException(f"the transfer broke off after {received} of {announced} bytes")


def _open(url: str, start: int) -> HTTPResponse:
    # Identity: a compressed body could be neither resumed nor counted.
    headers = {"Accept-Encoding": "identity", "User-Agent": "tune-or-prompt"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = Request(url, headers=headers)  # noqa: S310 -- the address is pinned above, or a test's
    response: HTTPResponse = urlopen(request, timeout=TIMEOUT_S)  # noqa: S310
    return response
