"""Writes data/samples/banking77: twelve intents about cash, fees and exchange, with every message of theirs.

They are out of BANKING77.

    python data/samples/make_banking77.py FOLDER        # with BANKING77's train.csv and test.csv

BANKING77 is by Casanueva et al. 2020, "Efficient Intent Detection with Dual Sentence Encoders", arXiv:2003.04807, under
CC BY 4.0 (https://github.com/PolyAI-LDN/task-specific-datasets). The messages are as they are there; only those of
other intents are left out.
"""

import csv
import sys
from pathlib import Path

INTENTS = (
    "atm_support",
    "balance_not_updated_after_cheque_or_cash_deposit",
    "card_payment_fee_charged",
    "card_payment_wrong_exchange_rate",
    "cash_withdrawal_charge",
    "cash_withdrawal_not_recognised",
    "declined_cash_withdrawal",
    "exchange_charge",
    "exchange_rate",
    "exchange_via_app",
    "pending_cash_withdrawal",
    "top_up_by_cash_or_cheque",
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
