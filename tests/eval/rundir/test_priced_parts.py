"""What a price depends on: the machine that a run names, and what a system used of it."""

from eval.rundir.description import Machine, SystemDescription
from eval.rundir.priced_parts import machine_name, used_hardware


def test_a_machine_of_which_nothing_is_known_has_no_name() -> None:
    assert machine_name(None) == machine_name(Machine()) == ""
    assert used_hardware(SystemDescription(kind="baseline"), Machine(), role="baseline") is None
