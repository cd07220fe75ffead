"""The forms of a report: tables and sentences come in.

Out go Markdown, HTML, plain text for a terminal, and CSV.
"""
