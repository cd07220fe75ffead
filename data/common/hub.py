"""The Hugging Face hub as a person wants it: asked once, briefly, loading without chatter, and never half.

transformers and datasets retry for minutes where a hub does not answer, and none of them compares a file with its hash;
a person waits for seconds, and a damaged file would stay in the cache.
"""

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from data.common.errors import MissingResourceError
from data.common.files import sha256_of

if TYPE_CHECKING:
    from httpx import Request, Response

HUB_DEADLINE_S = 6.0
TRIES = 3  # of one request without a byte in between
KINDS = {"model": "model", "dataset": "data set"}
_SHA1, _SHA256 = 40, 64  # digits


class HubCommit(NamedTuple):
    """A repository as the hub has it: its present name, and the commit that a revision stands at."""

    name: str
    sha: str


class HubSilentError(OSError):
    """The hub gave nothing of a file that was asked for `TRIES` times."""


def hub_commit(name: str, *, kind: str = "model", revision: str | None = None) -> HubCommit:
    """Ask the hub for the commit of a repository.

    In a thread of its own, because a client's timeout holds for each of the host's addresses in turn and not at all
    for the name look-up: behind a firewall that drops packets they add up to a minute.

    Args:
        name: Such as "distilbert-base-uncased" or "nyu-mll/glue".
        kind: "model" or "dataset".
        revision: A branch, tag or commit; None is the main branch.

    Raises:
        GatedRepoError, RevisionNotFoundError, RepositoryNotFoundError: The hub has answered (huggingface_hub.errors).
        OSError, httpx.HTTPError: It could not be asked within `HUB_DEADLINE_S`.
    """
    from huggingface_hub import HfApi

    faults = hub_errors()
    found: list[HubCommit | BaseException] = []

    def ask() -> None:
        try:
            about = HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=HUB_DEADLINE_S)
            found.append(HubCommit(about.id, str(about.sha)))
        except faults as error:
            found.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(HUB_DEADLINE_S)
    answer = found[0] if found else TimeoutError(f"no answer within {HUB_DEADLINE_S:.0f} s")
    if isinstance(answer, BaseException):
        raise answer from answer.__cause__  # and not over what the caller may be busy with
    return answer


def hub_fault(name: str, *, kind: str = "model", revision: str | None = None) -> Exception | None:
    """Return what keeps the hub from giving us a repository, as `hub_commit` raises it; None when nothing does."""
    try:
        hub_commit(name, kind=kind, revision=revision)
    except hub_errors() as error:
        return error
    return None


def hub_errors() -> tuple[type[Exception], ...]:
    """Return what client libraries raise where the hub does not give what was asked for.

    What is no answer of a hub, such as a proxy's page, is a ValueError, a KeyError or a TypeError of the client.
    """
    from httpx import HTTPError

    return (HTTPError, OSError, ValueError, KeyError, TypeError)


def hub_said(error: BaseException, name: str, *, kind: str = "model", revision: str | None = None) -> str:
    """Say in one line why a repository cannot be had, from what a client library raised over it.

    Args:
        error: As it was raised; what it was raised from says more than the library's own message.
        name: The repository.
        kind: "model" or "dataset".
        revision: What was asked for.
    """
    from httpx import TransportError
    from huggingface_hub import errors

    what, causes = f"{KINDS[kind]} '{name}'", list(_causes(error))
    known: tuple[tuple[type[Exception], str], ...] = (
        (errors.GatedRepoError, f"the hub's {what} is gated: accept its terms on its page, and set HF_TOKEN"),
        (errors.RevisionNotFoundError, f"the hub's {what} has no revision '{revision or 'main'}'"),
        (
            errors.RepositoryNotFoundError,
            f"the hub has no {what} that you may read; for a private one, set HF_TOKEN",
        ),
        (errors.OfflineModeIsEnabled, f"the {what} is not on this machine, and HF_HUB_OFFLINE keeps the hub from it"),
    )
    for cause in causes:
        if said := next((sentence for fault, sentence in known if isinstance(cause, fault)), None):
            return said
        if isinstance(cause, HubSilentError):
            return f"{cause} (the {what})"
        if isinstance(cause, errors.HfHubHTTPError) and not isinstance(cause, errors.EntryNotFoundError):
            return f"the hub answers with status {cause.response.status_code} for the {what}; try again later"
    if any(isinstance(cause, TransportError | ConnectionError | TimeoutError) for cause in causes):
        reason = _first_line(causes[-1])
        return f"the hub cannot be reached ({reason}) for the {what}; what the cache (HF_HOME) holds needs none"
    return f"the {what} cannot be had from the hub ({_first_line(error)})"


def _first_line(error: BaseException) -> str:
    """Return the first line of an error's message, of which the libraries write several; its type where it has none."""
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from or over, the innermost last."""
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def cached_folder(name: str, *, kind: str = "model", revision: str = "main") -> Path | None:
    """Return where the cache holds files of a repository, in a folder that is named by their commit.

    Args:
        name: The repository.
        kind: "model" or "dataset".
        revision: A branch or a tag, as it stood when the hub was last asked for it, or a commit.

    Returns:
        None where the cache knows nothing of it.
    """
    cache = _cache_of(name, kind)
    ref = cache / "refs" / revision
    folder = cache / "snapshots" / (ref.read_text(encoding="utf-8").strip() if ref.is_file() else revision)
    return folder if folder.is_dir() else None


@contextmanager
def hub_downloads(name: str, *, kind: str = "model", together: bool = False) -> Iterator[None]:
    """Load from the hub inside, without chatter, with an end to patience, and without files that are not the hub's.

    Args:
        name: The repository.
        kind: "model" or "dataset".
        together: Files say something only together: where one does not come, those that came before it are not kept.

    Raises:
        MissingResourceError: A file that came has another hash than the hub said. It is not in the cache any more.
        HubSilentError: Nothing came of a file that was asked for `TRIES` times.
    """
    from huggingface_hub.utils import logging as hub_logging

    blobs = _cache_of(name, kind) / "blobs"
    before, verbosity = set(_files(blobs)), hub_logging.get_verbosity()
    hub_logging.set_verbosity_error()
    try:
        with _limited_patience():
            yield
    except BaseException:
        _forget([blob for blob in _files(blobs) if blob not in before and together])
        raise
    finally:  # a damaged file is often what an error is about
        hub_logging.set_verbosity(verbosity)
        damaged = [blob for blob in _files(blobs) if blob not in before and not _is_whole(blob)]
        _forget(damaged)
        if damaged:
            raise MissingResourceError(
                f"the hub sent another file of the {KINDS[kind]} '{name}' than its hash {damaged[0].name[:12]}… says; "
                "it was not kept: try again"
            )


def _cache_of(name: str, kind: str) -> Path:
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.file_download import repo_folder_name

    return Path(HF_HUB_CACHE, repo_folder_name(repo_id=name, repo_type=kind))


def _files(blobs: Path) -> list[Path]:
    """Return the files that the cache of a repository holds whole; each is named by its hash."""
    return [blob for blob in blobs.iterdir() if blob.suffix != ".incomplete"] if blobs.is_dir() else []


def _is_whole(blob: Path) -> bool:
    """Say whether a file is what its name says: SHA-256 of a large file, git's hash of a small one."""
    digits = len(blob.name)
    if digits == _SHA256:
        return sha256_of(blob) == blob.name
    if digits != _SHA1:
        return True  # a mirror's own tag, which says nothing of the content
    content = blob.read_bytes()
    # Some mirrors give the plain hash in the place of git's.
    return blob.name in (_sha1(b"blob %d\0" % len(content) + content), _sha1(content))


def _sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _forget(blobs: list[Path]) -> None:
    """Remove files from the cache of a repository, with the links to them."""
    for blob in blobs:
        blob.unlink(missing_ok=True)
    links = blobs[0].parent.parent.joinpath("snapshots").rglob("*") if blobs else ()
    for link in links:
        if link.is_symlink() and not link.exists():
            link.unlink()


@contextmanager
def _limited_patience() -> Iterator[None]:
    """End requests that the hub gives nothing for: its client asks for a file six times, for a minute each."""
    from huggingface_hub import constants, get_session

    asked: Counter[tuple[str, ...]] = Counter()

    def key(request: "Request") -> tuple[str, ...]:
        return request.method, str(request.url), request.headers.get("Range", "")

    def count(request: "Request") -> None:
        limit = constants.HF_HUB_DOWNLOAD_TIMEOUT
        timeout = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {
            phase: min(timeout.get(phase) or limit, limit) for phase in ("connect", "read", "write", "pool")
        }
        asked[key(request)] += 1
        if asked[key(request)] > TRIES:
            file = request.url.path.rpartition("/")[2]
            raise HubSilentError(f"the hub gave nothing of {file} in {TRIES} tries; try again later")

    def answered(response: "Response") -> None:
        # The bytes of a file are still to come: a rest that is asked for has a range of its own.
        is_file = response.request.method == "GET" and not response.request.url.path.startswith("/api/")
        if response.status_code < 500 and not is_file:
            del asked[key(response.request)]

    client = get_session()
    hooks = client.event_hooks
    client.event_hooks = {
        "request": [*hooks.get("request", ()), count],
        "response": [*hooks.get("response", ()), answered],
    }
    try:
        yield
    finally:
        client.event_hooks = hooks


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence transformers' progress bars and load reports, and leave its settings as they were."""
    from transformers.utils import logging as transformers_logging

    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
