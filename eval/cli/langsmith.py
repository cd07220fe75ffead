"""`python -m eval langsmith RUN`: a run that was made, or imported, as LangSmith's datasets and experiments."""

import argparse

from data.common.errors import ConfigurationError
from data.common.table import aligned
from data.common.terminal import emit, emit_json


def langsmith(options: argparse.Namespace) -> int:
    """Send what of a run is not in LangSmith yet, and say what is there."""
    from chains.models.providers import read_env_file
    from eval.execution.experiments.client import ExperimentClient, faults_in_one_line
    from eval.execution.experiments.send import send_run

    if options.dataset is not None and not options.dataset.strip():
        raise ConfigurationError("a dataset in LangSmith needs a name; give one with --dataset")
    read_env_file()
    client = ExperimentClient()
    with faults_in_one_line(client):
        shown = send_run(client, options.run, options.dataset)
    if options.json:
        emit_json({"experiments": [one._asdict() for one in shown]})
        return 0
    header = ("system", "dataset", "experiment", "sent now", "there before", "without an answer")
    rows = [
        (one.system, one.dataset, one.experiment, f"{one.sent:,}", f"{one.there:,}", f"{one.failed:,}") for one in shown
    ]
    emit(aligned([header, *rows], left=(0, 1, 2)))
    return 0
