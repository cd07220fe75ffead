"""Writes data/samples/banking77: ten intents about cards out of BANKING77, every message of theirs.

    python data/samples/make_banking77.py FOLDER        # with BANKING77's train.csv and test.csv

BANKING77 is by Casanueva et al. 2020, "Efficient Intent Detection with Dual Sentence Encoders", arXiv:2003.04807, under
CC BY 4.0 (https://github.com/PolyAI-LDN/task-specific-datasets). The messages are as they are there; only those of
other intents are left out.
"""

import csv
import sys
from pathlib import Path

INTENTS = (
    "activate_my_card",
    "card_arrival",
    "card_delivery_estimate",
    "card_linking",
    "card_not_working",
    "compromised_card",
    "getting_spare_card",
    "lost_or_stolen_card",
    "order_physical_card",
    "virtual_card_not_working",
)


def main(source: Path, target: Path = Path(__file__).parent / "banking77") -> None:
    """Write both files."""
    for name in ("train.csv", "test.csv"):
        with (source / name).open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        with (target / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([header, *(row for row in rows if row[1] in INTENTS)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
