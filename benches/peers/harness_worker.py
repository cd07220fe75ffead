"""lm-evaluation-harness as a worker: loads the model once, then scores one file of requests after another.

Runs in an environment of its own (`benches.environments`), so it imports nothing of the project.

    python harness_worker.py '{"weights": …, "dtype": …, "softmax_dtype": …, "threads": …, "batch_size": …}'

In come, on stdin, names of JSON files with `[[context, continuation], …]`; out goes, on stdout, one JSON object a
line: first `{"versions": …}` when the model is loaded, then `{"seconds": …, "logprobs": […]}` for each file. `seconds`
is `HFLM.loglikelihood` alone, tokenization included.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any


def main() -> None:
    """Serve until stdin ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever the libraries print must not mix with the answers
    settings: dict[str, Any] = json.loads(sys.argv[1])

    import torch
    from lm_eval.api.instance import Instance  # type: ignore[import-not-found]
    from lm_eval.models.huggingface import HFLM  # type: ignore[import-not-found]

    torch.set_num_threads(settings["threads"])
    model = HFLM(
        pretrained=settings["weights"],
        dtype=settings["dtype"],
        softmax_dtype=settings["softmax_dtype"],
        batch_size=settings["batch_size"],
        device="cpu",
    )
    versions = {name: version(name) for name in ("lm_eval", "torch", "transformers")}
    print(json.dumps({"versions": versions}), file=answers, flush=True)
    for line in sys.stdin:
        pairs = json.loads(Path(line.strip()).read_text(encoding="utf-8"))
        requests = [
            Instance(request_type="loglikelihood", doc={}, arguments=tuple(pair), idx=index)
            for index, pair in enumerate(pairs)
        ]
        started = time.perf_counter()
        scored = model.loglikelihood(requests, disable_tqdm=True)
        seconds = time.perf_counter() - started
        logprobs = [float(logprob) for logprob, _ in scored]
        print(json.dumps({"seconds": seconds, "logprobs": logprobs}), file=answers, flush=True)


if __name__ == "__main__":
    main()
