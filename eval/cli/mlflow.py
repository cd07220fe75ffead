"""`python -m eval mlflow RUN`: a run as MLflow's runs, one a system, on the server that MLFLOW_TRACKING_URI names."""

import argparse

from data.common.table import aligned
from data.common.terminal import emit, emit_json


def mlflow(options: argparse.Namespace) -> int:
    """Send a run, or its figures of today where it was sent before, and say what is there."""
    from chains.models.providers import read_env_file
    from eval.report.mlflow_runs import send_to_mlflow

    read_env_file()
    sent = send_to_mlflow(options.run, options.experiment)
    if options.json:
        emit_json({"runs": [one._asdict() for one in sent]})
        return 0
    rows = [(one.name, one.id, "renewed" if one.was_there else "new") for one in sent]
    emit(aligned([("run", "id in MLflow", "it is"), *rows], left=(0, 1, 2)))
    return 0
