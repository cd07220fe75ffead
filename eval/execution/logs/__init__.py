"""The logs of other tools: files come in, and out go their rows in one form, whichever tool wrote them.

A format is a module that reads it and a line in `eval.execution.logs.registry`.
"""
