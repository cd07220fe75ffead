"""Data sets of the Hugging Face hub as tables: a name in, a table for each split out.

    hf:ORG/NAME ─ the commit and the configuration it means ─ files, checked by their hashes ─ rows, labels by name

A commit that is in the cache is read without the hub. No code of a data set is ever run: `datasets` runs none.
"""

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.common.errors import ConfigurationError, MissingResourceError, unknown_name
from data.common.hub import HubCommit, cached_folder, hub_commit, hub_downloads, hub_errors, hub_said
from data.common.progress import log
from data.common.text import one_line
from data.hub_name import ONLY_CONFIG, PREFIX, HubName
from data.table_types import Row, Table, class_name

if TYPE_CHECKING:
    from datasets import Dataset, DatasetBuilder
    from datasets.utils.metadata import MetadataConfigs

KIND = "dataset"
CARD_FILE = "README.md"
UNLABELLED = -1  # what a column of classes holds where there is no label


@cache
def pinned(name: HubName) -> HubName:
    """Return the name with the commit and the configuration that it means now, and say which commit that is.

    Raises:
        ConfigurationError: There is no such configuration, or one of several has to be named.
        MissingResourceError: The hub has no such data set or revision, keeps it from this user, or cannot be asked, and
            the cache does not know it either.
    """
    if name.is_pinned:
        return name
    commit = _commit(name)
    if name.revision != commit.sha:
        log(f"{name}: its revision {name.revision or 'main'} is commit {commit.sha}")
    return name._replace(repository=commit.name, revision=commit.sha, config=_config(name, commit))


def hub_splits(name: HubName) -> dict[str, "Dataset"]:
    """Return the splits of a data set by the hub's names, from the cache or else from the hub.

    Raises:
        ConfigurationError: There is no such configuration, it is a script, or its files cannot be read.
        MissingResourceError: It cannot be had.
    """
    name = pinned(name)
    with _quiet_datasets():
        return _cached(name) or _downloaded(name)


def read_hub_tables(name: HubName) -> list[Table]:
    """Return the tables of a data set: one for each split that has labels, or the one that is named.

    A column of classes holds their names; a row without a class is left out, and counted.

    Raises:
        ConfigurationError: See `hub_splits`; or there is no such split, or nothing in it has a label.
        MissingResourceError: See `hub_splits`.
    """
    splits = hub_splits(name)
    if name.split is not None:
        if name.split not in splits:
            raise unknown_name(f"split of {name._replace(split=None)}", name.split, splits)
        splits = {name.split: splits[name.split]}
    tables = [_table(split, rows) for split, rows in splits.items()]
    labelled = [table for table in tables if table.rows]
    if not labelled:
        raise ConfigurationError(f"{name} has no row with a label")
    hidden = [f"its split '{table.split}' has no labels, and is left out" for table in tables if not table.rows]
    return [table._replace(notes=[*table.notes, *hidden]) for table in labelled]


def _commit(name: HubName) -> HubCommit:
    """Return the commit that a name means, as the hub says it, or as the cache remembers it where the hub is silent."""
    revision = name.revision or "main"
    try:
        commit = hub_commit(name.repository, kind=KIND, revision=name.revision)
        with hub_downloads(commit.name, kind=KIND):
            _card(commit.name, revision)  # with it the cache remembers which commit the revision is
    except hub_errors() as error:
        folder = cached_folder(name.repository, kind=KIND, revision=revision)
        if folder is None:
            raise _missing(name, error) from error
        log(f"{name}: {hub_said(error, name.repository, kind=KIND, revision=revision)}; the cache is read")
        return HubCommit(name.repository, folder.name)
    return commit


def _card(repository: str, revision: str, *, from_cache: bool = False) -> Path | None:
    """Return the data set's card, from the cache where it is there; None where it has none."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    try:
        return Path(
            hf_hub_download(repository, CARD_FILE, repo_type=KIND, revision=revision, local_files_only=from_cache)
        )
    except LocalEntryNotFoundError:
        if from_cache:
            return None
        raise
    except EntryNotFoundError:
        return None


def _config(name: HubName, commit: HubCommit) -> str:
    """Return the configuration that a name means."""
    configs = _configs(commit)
    known = list(configs) or [ONLY_CONFIG]
    if name.config is not None and name.config not in known:
        raise unknown_name(f"configuration of {PREFIX}{commit.name}", name.config, known)
    config = name.config or (known[0] if len(known) == 1 else configs.get_default_config_name())
    if config is None:
        raise ConfigurationError(
            f"{name} has {len(known)} configurations; name one as {PREFIX}{commit.name}:CONFIG: {', '.join(known)}"
        )
    return config


def _configs(commit: HubCommit) -> "MetadataConfigs":
    """Return the configurations that a data set's card names; there are none where one is enough."""
    import yaml
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    path = _card(commit.name, commit.sha, from_cache=True)
    try:
        return MetadataConfigs.from_dataset_card_data(DatasetCard.load(path).data) if path else MetadataConfigs()
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"the card of {PREFIX}{commit.name} cannot be read: {one_line(error)}") from error


def _cached(name: HubName) -> dict[str, "Dataset"] | None:
    """Return the splits that an earlier run left in the cache of datasets, of just this commit."""
    from datasets import config
    from datasets.naming import camelcase_to_snakecase
    from datasets.packaged_modules.cache.cache import Cache

    *owner, last = name.repository.split("/")
    root = Path(config.HF_DATASETS_CACHE, "___".join((*owner, camelcase_to_snakecase(last))))
    for folder in root.glob(f"{glob.escape(str(name.config))}/*/{name.revision}"):
        if (folder / config.DATASET_INFO_FILENAME).is_file():
            builder = Cache(
                dataset_name=last,
                repo_id=name.repository,
                config_name=name.config,
                version=folder.parent.name,
                hash=name.revision,
            )
            return dict(builder.as_dataset())
    return None


def _downloaded(name: HubName) -> dict[str, "Dataset"]:
    """Return the splits from the hub: every file is checked before rows are made of it."""
    from datasets import load_dataset_builder
    from datasets.exceptions import DatasetsError
    from huggingface_hub import hf_hub_download

    try:
        hub_commit(name.repository, kind=KIND, revision=name.revision)  # which says at once that there is no hub
        with hub_downloads(name.repository, kind=KIND):
            builder = load_dataset_builder(f"hf://datasets/{name.repository}", name.config, revision=name.revision)
            if builder.hash != name.revision:  # where anything fails, datasets takes any commit that it has
                raise MissingResourceError(f"the files of {name} cannot be had from the hub; try again later")
            for file in _hub_files(builder):
                hf_hub_download(name.repository, file, repo_type=KIND, revision=name.revision)
    except RuntimeError as error:
        raise ConfigurationError(
            f"{name} is made by a script, which is not run ({one_line(error)}); the hub may have its rows as files: "
            f"{name._replace(config=None, revision='refs/convert/parquet')}"
        ) from error
    except (*hub_errors(), DatasetsError) as error:
        raise _missing(name, error) from error
    try:
        builder.download_and_prepare()
    except (OSError, ValueError, DatasetsError) as error:
        raise ConfigurationError(f"the files of {name} cannot be read: {one_line(error.__cause__ or error)}") from error
    return dict(builder.as_dataset())


def _hub_files(builder: "DatasetBuilder") -> list[str]:
    """Return what a builder reads, as paths in its repository: they are hf://datasets/ORG/NAME@COMMIT/PATH."""
    found = f"hf://datasets/{builder.repo_id}@{builder.hash}/"
    files = builder.config.data_files or {}
    return [file.removeprefix(found) for split in files.values() for file in split if file.startswith(found)]


def _missing(name: HubName, error: Exception) -> MissingResourceError:
    said = hub_said(error, name.repository, kind=KIND, revision=name.revision)
    return MissingResourceError(f"{name}: {said}")


def _table(split: str, dataset: "Dataset") -> Table:
    """Return a split as a table; it has no rows where none has a class."""
    from datasets.features.features import require_decoding

    features = {
        column: feature
        for column, feature in dataset.features.items()
        if not require_decoding(feature, ignore_decode_attribute=True)  # pictures and sounds
    }
    columns = tuple(features)
    read: list[Row] = dataset.select_columns(list(columns)).with_format("arrow")[:].to_pylist()
    classes = {column: names for column, feature in features.items() if (names := _class_names(feature)) is not None}
    rows = [
        (f"row {number}", {**row, **{column: class_name(row[column], names) for column, names in classes.items()}})
        for number, row in enumerate(read, start=1)
        if not classes or any(row[column] not in (None, UNLABELLED) for column in classes)
    ]
    left_out = len(read) - len(rows)
    notes = [f"left out {left_out:,} of {len(read):,} rows of '{split}', which have no label"] if left_out else []
    return Table(split, columns, rows, [], notes if rows else [])


def _class_names(feature: Any) -> list[str] | None:
    """Return the names of a column's classes, by their numbers; None for another column."""
    from datasets import ClassLabel

    inner = getattr(feature, "feature", feature)  # a list of classes has several labels
    return list(inner.names) if isinstance(inner, ClassLabel) else None


@contextmanager
def _quiet_datasets() -> Iterator[None]:
    """Silence the bars and warnings of datasets, and leave its settings as they were."""
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    verbosity, without_bars = logging.get_verbosity(), are_progress_bars_disabled()
    logging.set_verbosity_error()
    disable_progress_bars()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if not without_bars:
            enable_progress_bars()
