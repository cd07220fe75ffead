"""What several tests of fine-tuning are given."""

from pathlib import Path

import pytest

from tests.support.tiny_encoder import write_nli


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nli(tmp_path_factory.mktemp("nli"), train=(192, 1), validation_matched=(60, 2))
