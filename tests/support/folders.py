"""Where the project and the golden files are, for tests in any folder."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
GOLDEN_FOLDER = ROOT / "tests" / "golden"
