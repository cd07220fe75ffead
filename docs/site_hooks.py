"""What the site of `mkdocs.yml` has beside the pages of this folder, which stay readable where the project is kept.

README and its Korean twin become the first pages, with their links turned to the site's; the reference is made of the
docstrings, and the page of commands of the parser.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import chains
import retrievers

ROOT = Path(__file__).parent.parent
PAGES = {"README.md": "index.md", "README.ko.md": "korean.md", "data/samples/README.md": "samples.md"}
LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    for source, name in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=_links(text, (ROOT / source).parent)))
    files.append(File.generated(config, "reference.md", content=_reference()))
    files.append(File.generated(config, "commands.md", content=_commands()))
    return files


def on_page_markdown(markdown: str, page: object, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page of this folder that lead out of it to the site's pages."""
    return _links(markdown, ROOT / "docs", outside_only=True)


def _links(text: str, folder: Path, *, outside_only: bool = False) -> str:
    """Turn links to files into links to pages; one to a file that is no page becomes plain text."""

    def turned(found: re.Match[str]) -> str:
        target = (folder / found[1]).resolve()
        if not target.is_relative_to(ROOT) or (outside_only and not found[1].startswith("../")):
            return found[1]
        name = target.relative_to(ROOT).as_posix()
        if name.startswith("docs/"):
            return name.removeprefix("docs/")
        return PAGES.get(name) or PAGES.get(f"{name}/README.md") or "design.md"

    return LINK.sub(turned, text)


def _reference() -> str:
    """Name what the reference shows: those of `chains` and `retrievers` by module, as they are loaded late."""
    said = "Made of the docstrings. `eval.api` is for notebooks and scripts; a chain is a `Runnable` of LangChain's."
    parts = ["# Reference", said, "::: eval.api"]
    for package in (chains, retrievers):
        parts.append(f"## {package.__name__}\n\n{package.__doc__}")
        parts += [
            f"::: {home}.{name}\n    options: {{heading_level: 3}}" for name, home in sorted(package._HOMES.items())
        ]
    return "\n\n".join(parts) + "\n"


def _commands() -> str:
    from eval.cli.parser import parser

    parts = [f"## {name}\n\n```text\n{helped}```" for name, helped in _helps(parser(installed=True))]
    return "\n\n".join(["# Commands", "What `--help` says of each command.", *parts]) + "\n"


def _helps(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Yield each command with its help, those of a command's own commands after it."""
    from data.common.command_line import CommandParser

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                if isinstance(command, CommandParser):
                    command.fill()
                    yield command.prog, command.format_help()
                    yield from _helps(command)
