"""What the records of a run show, as numbers only: records come in.

Out go scores, intervals, differences, causes and costs; no sentence is written here.
"""
