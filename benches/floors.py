"""`python -m benches floors`: the house as a Mermaid drawing, from what its modules import.

An arrow leads from a floor to one that it uses; what follows from other arrows is left out.
"""

import grimp

# From the ground up, as the import contract in pyproject.toml has them.
FLOORS = (
    "data.common",
    "data",
    "retrievers",
    "chains",
    "finetune",
    "eval.rundir",
    "eval.measures",
    "eval.plan",
    "eval.execution",
    "eval.report",
    "eval.api",
    "eval.cli",
)
# Command lines that hand what eval has to a floor below it.
COMPOSITION_ROOTS = ("finetune.commands", "finetune.data_curve.command", "data.check_command")


def main() -> None:
    """Print the drawing."""
    print(drawing(), end="")


def drawing() -> str:
    """Return the floors and their arrows as a Mermaid flowchart."""
    uses = floors_used()
    arrows = [
        f"    {floor} --> {used}"
        for floor in reversed(FLOORS)
        for used in reversed(FLOORS)
        if _is_direct(uses, floor, used)
    ]
    return "\n".join(["flowchart TD", *arrows, ""])


def floors_used() -> dict[str, set[str]]:
    """Return the other floors that the modules of each floor import."""
    graph = grimp.build_graph("data", "retrievers", "chains", "finetune", "eval", cache_dir=None)
    uses: dict[str, set[str]] = {floor: set() for floor in FLOORS}
    for module in sorted(graph.modules):
        floor = _floor_of(module)
        if floor is not None and module not in COMPOSITION_ROOTS:
            uses[floor] |= {used for it in graph.find_modules_directly_imported_by(module) if (used := _floor_of(it))}
    return {floor: used - {floor} for floor, used in uses.items()}


def _floor_of(module: str) -> str | None:
    inside = [floor for floor in FLOORS if module == floor or module.startswith(f"{floor}.")]
    return max(inside, key=len, default=None)


def _is_direct(uses: dict[str, set[str]], floor: str, used: str) -> bool:
    """Say whether a floor uses another that no floor between them uses."""
    return used in uses[floor] and not any(used in _below(uses, between) for between in uses[floor])


def _below(uses: dict[str, set[str]], floor: str) -> set[str]:
    return uses[floor].union(*(_below(uses, used) for used in uses[floor]))
