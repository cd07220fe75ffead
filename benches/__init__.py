"""Comparisons with how it is usually done: both sides in one run, medians of several, written as a Markdown table."""
