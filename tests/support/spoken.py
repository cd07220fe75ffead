"""Finds every sentence that the code says through `data.common.language`, so that a test can ask for its Korean."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, nodes

from tests.support.folders import ROOT

EVAL = ROOT / "eval"


def spoken() -> dict[str, list[Path]]:
    """Return each English template that is said, with the files that say it."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(EVAL.rglob("*.py")):
        if "data.common.language" in path.read_text(encoding="utf-8"):
            for text in _in_code(ast.parse(path.read_text(encoding="utf-8"))):
                found[text].append(path)
    for path in sorted(EVAL.rglob("*.j2")):
        for text in _in_template(path.read_text(encoding="utf-8")):
            found[text].append(path)
    return dict(found)


def _in_code(tree: ast.Module) -> Iterator[str]:
    named = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "say":
            said = node.args[0]
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "count" and _is_say(node.func.value):
            said = node.args[2]  # the form for many, which languages without a plural use
        else:
            continue
        if isinstance(said, (ast.Attribute, ast.Subscript)):  # what data carries, such as the name of a rung
            continue
        if isinstance(said, ast.Name):
            yield named[said.id]
        else:
            assert isinstance(said, ast.Constant), (
                f"line {node.lineno}: {ast.unparse(node)}: say takes a sentence as it stands"
            )
            yield said.value


def _is_say(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "say"


def _in_template(text: str) -> Iterator[str]:
    for call in Environment().parse(text).find_all(nodes.Call):
        function = call.node
        if isinstance(function, nodes.Name) and function.name == "say":
            yield call.args[0].value
        elif isinstance(function, nodes.Getattr) and function.attr == "count":
            yield call.args[2].value
