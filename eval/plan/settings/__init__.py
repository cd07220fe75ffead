"""All that a suite or the command line can say of a run, and nothing that acts on it.

Each setting is a row in `options.py`, of which its flag, help and docs are made, and a field in `specs.py`; those of
model calls have theirs in `call_policy.py`.
"""
