"""A suite's matrix: one entry that stands for a system for each combination of the values of some settings.

    {name: ask, chain: classify, matrix: {model: [gpt, qwen], prompt: [zero-shot, mine.yaml]}}

Several wordings of one prompt are a matrix too, with a key of their own:

    {name: ask, chain: classify, model: gpt, prompts: [zero-shot, mine.yaml]}

Entries as they are written in; out come the entries that they stand for, such as ask.gpt.zero-shot and ask.qwen.mine,
and which value of each setting each of these has.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from eval.rundir.description import Crossed

KEY, WORDINGS = "matrix", "prompts"


def written_out(entries: Sequence[object]) -> tuple[list[object], Crossed]:
    """Return entries without matrices, and what each matrix crosses.

    Args:
        entries: The entries of a suite's `systems`; those without a matrix are returned as they are.

    Raises:
        ValueError: A matrix is malformed, or two of its values have one name.
    """
    out: list[object] = []
    crossed: Crossed = {}
    for entry in entries:
        if not isinstance(entry, Mapping) or not is_several(entry):
            out.append(entry)
            continue
        combined = _combined(entry)
        out += [system for system, _ in combined]
        crossed[str(entry["name"])] = {system["name"]: names for system, names in combined}
    return out, crossed


def is_several(entry: Mapping[str, Any]) -> bool:
    """Say whether an entry stands for several systems."""
    return KEY in entry or WORDINGS in entry


def place_as_written(entries: Sequence[object], place: int) -> int:
    """Return which entry one of the entries comes from that `written_out` returns, both 0-based."""
    for written, entry in enumerate(entries):
        place -= len(_combined(entry)) if isinstance(entry, Mapping) and is_several(entry) else 1
        if place < 0:
            return written
    raise IndexError(place)


def _combined(entry: Mapping[str, Any]) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """Return each system that an entry stands for, with the names of its values by setting."""
    if WORDINGS in entry:
        entry = _of_wordings(entry)
    if not isinstance(name := entry.get("name"), str):
        raise ValueError(f"an entry with a matrix needs a name: {KEY} {entry[KEY]}")
    if not isinstance(entry[KEY], Mapping) or not entry[KEY]:
        raise ValueError(f"system '{name}': a matrix is a mapping of settings to their values, such as {{k: [2, 4]}}")
    if twice := [setting for setting in entry[KEY] if setting in entry]:
        raise ValueError(f"system '{name}': {twice[0]} stands in its matrix and beside it; leave one of them out")
    settings = {str(setting): _named_values(name, str(setting), given) for setting, given in entry[KEY].items()}
    shared = {key: value for key, value in entry.items() if key != KEY}
    return [
        (
            {**shared, "name": ".".join([name, *names]), **_chosen(settings, names)},
            dict(zip(settings, names, strict=True)),
        )
        for names in product(*settings.values())
    ]


def _of_wordings(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with `prompts` as one whose matrix has a prompt, after all else that it crosses."""
    name, wordings, crossed = entry.get("name"), entry[WORDINGS], entry.get(KEY, {})
    if not isinstance(wordings, list | tuple | Mapping) or len(wordings) < 2:
        raise ValueError(f"system '{name}': prompts are two wordings or more, such as [zero-shot, mine.yaml]")
    if not isinstance(crossed, Mapping) or "prompt" in crossed:
        raise ValueError(f"system '{name}': prompts go with a matrix of other settings; leave prompt out of it")
    shared = {key: value for key, value in entry.items() if key != WORDINGS}
    return {**shared, KEY: {**crossed, "prompt": wordings}}


def _chosen(settings: Mapping[str, Mapping[str, object]], names: Sequence[str]) -> dict[str, object]:
    """Return the value of each setting that a combination names; a value of nothing leaves the setting out."""
    chosen = {setting: values[name] for (setting, values), name in zip(settings.items(), names, strict=True)}
    return {setting: value for setting, value in chosen.items() if value is not None}


def _named_values(name: str, setting: str, given: object) -> dict[str, object]:
    """Return the values of a setting by the names that systems get of them."""
    if isinstance(given, Mapping) and given:
        return {str(own): value for own, value in given.items()}
    if not isinstance(given, list | tuple) or not given:
        raise ValueError(f"system '{name}': {setting} in its matrix is a list of values, such as [a, b]")
    if unnamed := [value for value in given if isinstance(value, Mapping | list)]:
        raise ValueError(
            f"system '{name}': {unnamed[0]} of {setting} in its matrix has no name; write {setting} as a mapping of "
            "names to values"
        )
    values = {_plain(value): value for value in given}
    if len(values) < len(given):
        raise ValueError(
            f"system '{name}': two values of {setting} in its matrix would have one name ({', '.join(values)}); write "
            f"{setting} as a mapping of names to values"
        )
    return values


def _plain(value: object) -> str:
    """Return the last part of a spec or a path, without what no folder may be called."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    last = str(value).split("@http")[0].rstrip("/").rsplit("/", 1)[-1].removesuffix(".yaml").removesuffix(".yml")
    return re.sub(r"[^\w.-]+", "-", last).strip("-.") or "value"
