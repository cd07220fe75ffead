"""`python -m eval`: run, compare and read evaluations."""

import sys

from eval.cli import main

if __name__ == "__main__":
    sys.exit(main())
