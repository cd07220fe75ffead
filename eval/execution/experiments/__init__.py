"""Runs as LangSmith shows them: a dataset of the items, an experiment a system, scores as feedback on every answer.

A run's folder, or a run that goes on, comes in; out go the dataset's examples, the experiments' runs with their
feedback, and a note of them beside the run, so that nothing is sent twice.
"""
