"""`python -m eval`: run, compare and read evaluations."""

import gc
import sys

from eval.cli.parser import main

if __name__ == "__main__":
    # What a run imports and keeps is no garbage: by default all of it is looked through again and again as it grows,
    # and, not to be frozen, once more for half a second when the command ends.
    gc.set_threshold(100_000, 20, 20)
    code = main()
    gc.freeze()
    sys.exit(code)
