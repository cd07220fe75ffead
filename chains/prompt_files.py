"""Prompts as YAML files: what is said to the model, how it is asked to answer, and where the technique is from.

The fields of the YAML are those of `Prompt`. `user` may name variables in single braces; the chain that uses
the prompt says which (`chains.kice`, `chains.mnli`). In a prompt with an `example`, `system` may too. A brace
that is meant as a brace is doubled.
An item's own text is only ever filled in, never read as a template.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, ValidationError, model_validator

from data.common.errors import ConfigurationError, first_fault, unknown_name
from data.common.parsing import read_yaml
from data.types import Frozen

if TYPE_CHECKING:
    from langchain_core.prompts import ChatPromptTemplate

PROMPT_DIR = Path(__file__).parent / "prompts"


class AnswerForm(Frozen):
    """How the model is asked to answer.

    Attributes:
        form: "number": the choice's 1-based number stands for it; "choice": the choice's own text does.
        reasoning: The model writes before it answers, so that the labels alone cannot be scored.
        max_tokens: Enough for such an answer, thinking models apart.
    """

    form: Literal["number", "choice"]
    reasoning: bool = False
    max_tokens: int = Field(gt=0)


class Shot(Frozen):
    """A worked example, shown as a turn of its own before the question; literal text."""

    user: str
    assistant: str


class Prompt(Frozen):
    """One way of asking; `sha256` identifies its text in a run's manifest.

    Attributes:
        shots: The same worked examples for every item.
        user: What is asked, as a template.
        example: How a labelled example that is chosen for the item is shown, as a template with the variable `text`: a
            turn before the question, whose reply is the label. Small models copy the form of such turns.
    """

    id: str
    benchmark: str
    language: str
    technique: str
    source: str
    system: str = ""
    shots: tuple[Shot, ...] = ()
    user: str
    # Left out where there is none, so that the prompts of older runs keep their SHA-256.
    example: str | None = Field(default=None, exclude_if=lambda example: example is None)
    answer: AnswerForm

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def variables(self) -> set[str]:
        """The variables that its templates name; anything but a plain name is refused when the prompt is loaded."""
        return {name for name, _, _ in self._fields()}

    def _fields(self) -> list[tuple[str, str, str]]:
        """Return (name, format spec, conversion) of everything in single braces."""
        templates = self.user if self.example is None else f"{self.system}\n{self.example}\n{self.user}"
        parsed = Formatter().parse(templates)
        return [(name, spec or "", conversion or "") for _, name, spec, conversion in parsed if name is not None]

    @model_validator(mode="after")
    def _variables_are_plain_names(self) -> Self:
        try:
            fields = self._fields()
        except ValueError as error:  # an unbalanced brace
            raise ValueError(f"{error}; double a brace that is meant as a brace") from None
        for name, spec, conversion in fields:
            if not name.isidentifier() or spec or conversion:
                raise ValueError(f"'{{{name}' is no plain variable; double a brace that is meant as a brace")
        return self

    def template(self) -> "ChatPromptTemplate":
        """Return the prompt as a LangChain template over its variables."""
        from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
        from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder

        if self.example is not None:
            turns = MessagesPlaceholder("examples", optional=True)
            return ChatPromptTemplate.from_messages(
                [("system", self.system.strip()), turns, ("human", self.user.strip())]
            )
        fixed: list[BaseMessage] = [SystemMessage(self.system.strip())] if self.system.strip() else []
        for shot in self.shots:
            fixed += [HumanMessage(shot.user.strip()), AIMessage(shot.assistant.strip())]
        return ChatPromptTemplate.from_messages([*fixed, ("human", self.user.strip())])

    def labels(self, choices: Collection[str]) -> list[str]:
        """Return the text that stands for each choice: what is scored, or what the model is to write."""
        return [str(i + 1) for i in range(len(choices))] if self.answer.form == "number" else list(choices)


def list_prompts() -> dict[str, Path]:
    """Return the prompts that come with the project: id to file."""
    return {
        path.relative_to(PROMPT_DIR).with_suffix("").as_posix(): path for path in sorted(PROMPT_DIR.glob("*/*.yaml"))
    }


def in_language(name: str, language: str) -> str:
    """Return the form of a prompt in a language, such as "classify/zero-shot-ko"; itself where there is none."""
    own = f"{name}-{language}"
    return own if own in list_prompts() else name


def load_prompt(name_or_path: str, *, variables: Collection[str], benchmark: str = "") -> Prompt:
    """Read a prompt by id, or by the path of the user's own YAML file.

    Args:
        name_or_path: "kice/minimal", "minimal" where `benchmark` says whose, or a file ending in .yaml or .yml.
        variables: The variables that the chain fills in.
        benchmark: Prefix tried for a name without one.

    Raises:
        ConfigurationError: Unknown name, unreadable file, malformed YAML (with its line), or a variable that
            the chain does not fill in.
    """
    known = list_prompts()
    if name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
    elif name_or_path in known or f"{benchmark}/{name_or_path}" in known:
        path = known.get(name_or_path) or known[f"{benchmark}/{name_or_path}"]
    else:
        raise unknown_name("prompt", name_or_path, known, "Or give the path of a .yaml file.")
    prompt = _read_prompt(path)
    unknown = prompt.variables - set(variables)
    if unknown:
        raise ConfigurationError(
            f"{path}: unknown variable {{{sorted(unknown)[0]}}}; allowed: "
            f"{', '.join(sorted(variables))}; double a brace that is meant as a brace"
        )
    return prompt


def _read_prompt(path: Path) -> Prompt:
    try:
        return Prompt.model_validate(read_yaml(path, kind="prompt").content)
    except ValidationError as error:
        fault = first_fault(error)
        raise ConfigurationError(f"{path}: {fault.place or 'user'}: {fault.message}") from None
