"""The command line of `python -m eval`: arguments come in.

Out goes an exit code, with one thin function for each command.
"""
