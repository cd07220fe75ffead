"""Chat models that run in this process: messages come in.

Out go replies, or the log-likelihoods of labels, computed in batches of a bounded size.
"""
