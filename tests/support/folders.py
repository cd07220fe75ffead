"""Where the project, the golden files and the files that tests read are, for tests in any folder."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLDEN_FOLDER = ROOT / "tests" / "golden"
DATA_FILES = ROOT / "tests" / "data_files"
