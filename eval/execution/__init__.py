"""How a plan is carried out: a plan and the limits of the run come in.

Out go records, one for each item and system, whatever a server, a signal or a disk does meanwhile.
"""
