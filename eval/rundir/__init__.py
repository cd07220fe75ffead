"""What a run leaves on disk: a run's folder comes in.

Out go its manifest and its records, checked; and the writers that put them there.
"""
