"""What every package shares, each thing once: errors, text, files, the terminal, secrets, names of code.

It imports nothing of the project.
"""
