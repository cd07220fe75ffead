"""A repository as the hub of the tests holds it: files by commit, branches, who may read them, and what goes wrong."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

LARGE = (".parquet", ".safetensors")  # what a repository keeps outside git

Fault = Literal[
    "error",  # every file is answered with status 500
    "slow",  # nothing comes after the request for a file
    "slow-api",  # nothing comes at all
    "cut",  # every answer ends in the middle of the file
    "cut-once",  # the first answer of each file does
    "other",  # the file is of the right size and has other bytes
    "shorter",  # the file is whole by its own header, and shorter than the hub said
]


class Blob(NamedTuple):
    """A file as a repository keeps it."""

    content: bytes
    is_large: bool

    @property
    def oid(self) -> str:
        """The hash that git knows the file by; a large file's pointer is not made, so that its hash stands for it."""
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()  # git's

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass
class Repository:
    """A model or a data set with its history.

    Attributes:
        kind: "models" or "datasets".
        name: ORG/NAME.
        commits: The files of each commit, by its SHA.
        branches: The commit that each branch or tag stands at.
        gated: The status that files are refused with: 401 for an unknown user, 403 for one who may not read them.
        fault: What goes wrong, if anything does.
    """

    kind: Literal["models", "datasets"]
    name: str
    commits: dict[str, dict[str, Blob]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    gated: int | None = None
    fault: Fault | None = None

    def commit(self, files: Mapping[str, bytes], *, sha: str | None = None, branch: str = "main") -> str:
        """Add a commit with all of its files, at which the branch stands from now on, and return its SHA."""
        digest = hashlib.sha1(repr((self.name, sorted(files.items()))).encode()).hexdigest()  # a name
        sha = sha or digest
        self.commits[sha] = {path: Blob(content, path.endswith(LARGE)) for path, content in files.items()}
        self.branches[branch] = sha
        return sha

    def at(self, revision: str) -> str | None:
        """Return the SHA of a branch, a tag or a commit."""
        return revision if revision in self.commits else self.branches.get(revision)
