"""The sections of a report: the numbers of a measure come in.

Out go tables of plain cells and the sentences that say what they mean.
"""
