"""What `python -m data fetch` and `list` do; `check` has a module of its own, `data.check_command`."""

import argparse

from data.common.terminal import emit, emit_json
from data.download import fetch
from data.kice import DATA_DIR, YEARS, exam_path
from data.registry import BENCHMARKS, RETRIEVAL_SETS, benchmark


def fetch_exams(arguments: argparse.Namespace) -> None:
    """Fetch the exams that a name stands for, and print where each is."""
    paths = []
    for path in fetch(arguments.name, arguments.to or DATA_DIR):
        paths.append(str(path))
        if not arguments.json:
            emit(str(path))
    if arguments.json:
        emit_json({"paths": paths})


def list_data(arguments: argparse.Namespace) -> None:
    """Print the benchmarks with their splits and sources, the exams that are here, and the retrieval sets."""
    fetched = [year for year in YEARS if exam_path(year).is_file()]
    benchmarks = [benchmark(name) for name in BENCHMARKS]
    if arguments.json:
        described = [metadata.model_dump(mode="json") for metadata in benchmarks]
        emit_json({"benchmarks": described, "exams_fetched": fetched, "retrieval_sets": list(RETRIEVAL_SETS)})
        return
    for metadata in benchmarks:
        emit(f"benchmark {metadata.name}: {metadata.title}")
        emit(f"  splits: {', '.join(metadata.splits)} (default {metadata.default_split})")
        emit(f"  source: {metadata.source}\n  licence: {metadata.licence}")
    emit(f"exams fetched: {', '.join(fetched) or 'none (python -m data fetch kice-2023)'}")
    emit(f"retrieval sets: {', '.join(RETRIEVAL_SETS)}")
