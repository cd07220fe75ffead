"""The task that inspect-ai is given: samples of a file, one call each, and whether the answer holds the target.

Runs in an environment of its own (`benches.environments`), so it imports nothing of the project.

    inspect eval inspect_task.py@asked -T samples=samples.json --model …

In comes a JSON file of `[{"id": …, "input": [{"role": …, "content": …}, …], "target": …}, …]`; out goes inspect's log.
"""

from typing import Any

from inspect_ai import Task, task  # type: ignore[import-not-found]
from inspect_ai.dataset import json_dataset  # type: ignore[import-not-found]
from inspect_ai.scorer import includes  # type: ignore[import-not-found]
from inspect_ai.solver import generate  # type: ignore[import-not-found]


@task  # type: ignore[untyped-decorator]
def asked(samples: str) -> Any:
    """Return the task over a file of samples."""
    return Task(dataset=json_dataset(samples), solver=generate(), scorer=includes())
