"""The Hugging Face hub as a person wants it: asked once, briefly, and loading without chatter.

transformers and datasets retry for up to minutes where there is no network; a person waits for seconds.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HUB_DEADLINE_S = 6.0


def hub_fault(name: str, *, kind: str = "model", revision: str | None = None) -> BaseException | None:
    """Return what keeps the hub from giving us a repository; None when it has it and we may read it.

    In a thread of its own, because a client's timeout holds for each of the host's addresses in turn and not at all
    for the name look-up: behind a firewall that drops packets they add up to a minute.

    Args:
        name: Such as "distilbert-base-uncased" or "nyu-mll/glue".
        kind: "model" or "dataset".
        revision: A branch, tag or commit.

    Returns:
        huggingface_hub's `GatedRepoError`, `RevisionNotFoundError` or `RepositoryNotFoundError` where the hub has
        answered; any other error where it could not be asked within `HUB_DEADLINE_S`.
    """
    from httpx import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    faults: list[BaseException | None] = []

    def ask() -> None:
        try:
            HfApi().repo_info(name, repo_type=kind, revision=revision, timeout=HUB_DEADLINE_S)
            faults.append(None)
        except (HTTPError, HfHubHTTPError, OfflineModeIsEnabled, OSError) as error:
            faults.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(HUB_DEADLINE_S)
    return faults[0] if faults else TimeoutError(f"no answer within {HUB_DEADLINE_S:.0f} s")


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
