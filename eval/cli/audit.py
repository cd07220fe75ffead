"""`python -m eval audit FILE`: which labels of a file are doubtful, and about how many are wrong."""

import argparse
import os
from pathlib import Path

from data.card_options import TASK, card_fields
from data.common.errors import ConfigurationError
from data.common.files import write_atomically
from data.common.language import language
from data.common.options import given
from data.common.progress import log
from data.common.table import csv_text
from data.common.terminal import emit, emit_json
from data.registry import benchmark, labelled_rows
from eval.rundir.names import new_run_dir


def audit(options: argparse.Namespace) -> int:
    """Audit the labels of a task of the user's own; write every row, and print the most doubtful."""
    from chains.models.providers import read_env_file
    from eval.plan.baselines import default_embeddings
    from eval.plan.label_audit import audit_labels
    from eval.report.label_audit import AuditedFile, audit_json, audit_rows, audit_text

    if options.top < 1:
        raise ConfigurationError(f"--top {options.top} shows nothing; give 1 or more")
    read_env_file()
    card = card_fields(given(options, TASK))
    rows = labelled_rows(options.target, card=card)
    about = benchmark(options.target, card=card)
    csv = options.out or new_run_dir(f"{about.name}.labels", suffix=".csv")
    if csv.exists():
        raise ConfigurationError(f"{csv} is there already; name another file with --out")
    _check_folder(csv)
    embeddings = options.embeddings or default_embeddings(about.language)
    items = [row.item for row in rows]
    found = audit_labels(items, embeddings=embeddings, learner=options.learner, seed=options.seed)
    file = AuditedFile(about.name, rows, found, csv)
    csv.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(csv, csv_text(audit_rows(file)))
    say = language(options.lang)
    emit_json(audit_json(file)) if options.json else emit(audit_text(file, top=options.top, say=say))
    log(f"every row, the most doubtful first: {csv}")
    return 0


def _check_folder(csv: Path) -> None:
    """Refuse a place where nothing can be written, before the audit takes its time."""
    folder = next(parent for parent in csv.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{csv} cannot be written: {folder} is no folder that may be; name another with --out")
