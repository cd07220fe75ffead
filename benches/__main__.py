"""`python -m benches [NAME]` (or: make bench): time the project's ways against plainer ones, both sides in one run."""

import sys

from benches import label_scoring, pooling, training

BENCHES = {"label-scoring": label_scoring.main, "training": training.main, "pooling": pooling.main}

if __name__ == "__main__":
    unknown = [name for name in sys.argv[1:] if name not in BENCHES]
    if unknown:
        sys.exit(f"unknown bench '{unknown[0]}'. Allowed: {', '.join(BENCHES)}")
    for name in sys.argv[1:] or BENCHES:
        BENCHES[name]()
