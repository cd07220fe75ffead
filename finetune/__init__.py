"""Who answers by fine-tuned encoder: labelled items and settings come in.

Out goes a checkpoint that says how it was trained and how well it does, and a `Runnable` that answers items with it.
"""
