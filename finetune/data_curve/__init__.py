"""How many labels match a prompted system: training items and a run come in.

Out go a training of each size, their accuracies, and where they cross each system's.
"""
