"""Prompts as YAML files: what is said to the model, how it is asked to answer, and where the technique is from.

The fields of the YAML are those of `Prompt`. `user` may name variables in single braces: those that the chain makes,
which is its `VARIABLES` (`chains.choose`, `chains.kice`), and any text of the item by its own name. In a prompt with an
`example`, `system` may too. A brace that is meant as a brace is doubled.
An item's own text is only ever filled in, never read as a template.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Literal, Self

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
        """The variables of an item that its templates name, of which `example` names none: each is a plain name."""
        return {name for name, _, _ in _fields(self._of_the_item)}

    @property
    def _of_the_item(self) -> str:
        """The templates that the item's variables stand in."""
        return self.user if self.example is None else f"{self.system}\n{self.user}"

    @model_validator(mode="after")
    def _variables_are_plain_names(self) -> Self:
        try:
            of_example = _fields(self.example or "")
            fields = _fields(self._of_the_item) + of_example
        except ValueError as error:  # an unbalanced brace
            raise ValueError(f"{error}; double a brace that is meant as a brace") from None
        for name, spec, conversion in fields:
            if not name.isidentifier() or spec or conversion:
                raise ValueError(f"'{{{name}' is no plain variable; double a brace that is meant as a brace")
        if wrong := [name for name, _, _ in of_example if name != "text"]:
            raise ValueError(f"an example is shown by {{text}} alone, and not by {{{wrong[0]}}}")
        return self

    def template(self) -> "ChatPromptTemplate":
        """Return the prompt as a LangChain template over its variables."""
        from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
        from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder

        if self.example is not None:
            turns = MessagesPlaceholder("examples", optional=True)
            parts: list[Any] = [("system", self.system.strip()), turns, ("human", self.user.strip())]
            return ChatPromptTemplate.from_messages(parts).model_copy(update={"name": "prompt"})
        fixed: list[BaseMessage] = [SystemMessage(self.system.strip())] if self.system.strip() else []
        for shot in self.shots:
            fixed += [HumanMessage(shot.user.strip()), AIMessage(shot.assistant.strip())]
        template = ChatPromptTemplate.from_messages([*fixed, ("human", self.user.strip())])
        return template.model_copy(update={"name": "prompt"})

    def labels(self, choices: Collection[str]) -> list[str]:
        """Return the text that stands for each choice: what is scored, or what the model is to write."""
        return [str(i + 1) for i in range(len(choices))] if self.answer.form == "number" else list(choices)


def _fields(template: str) -> list[tuple[str, str, str]]:
    """Return (name, format spec, conversion) of everything in single braces."""
    parsed = Formatter().parse(template)
    return [(name, spec or "", conversion or "") for _, name, spec, conversion in parsed if name is not None]


def list_prompts() -> dict[str, Path]:
    """Return the prompts that come with the project: id to file."""
    return {
        path.relative_to(PROMPT_DIR).with_suffix("").as_posix(): path for path in sorted(PROMPT_DIR.glob("*/*.yaml"))
    }


def in_language(name: str, language: str) -> str:
    """Return the form of a prompt in a language, such as "classify/zero-shot-ko"; itself where there is none."""
    own = f"{name}-{language}"
    return own if own in list_prompts() else name


def load_prompt(name_or_path: str, *, variables: Collection[str] | None = None, benchmark: str = "") -> Prompt:
    """Read a prompt by id, or by the path of the user's own YAML file.

    Args:
        name_or_path: "kice/minimal", "minimal" where `benchmark` says whose, or a file ending in .yaml or .yml.
        variables: All that can be filled in: what the chain makes, and the items' texts; None: that is not known yet.
        benchmark: Prefix tried for a name without one.

    Raises:
        ConfigurationError: Unknown name, unreadable file, malformed YAML (with its line), or a variable that
            nothing fills in.
    """
    known = list_prompts()
    if name_or_path.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
    elif name_or_path in known or f"{benchmark}/{name_or_path}" in known:
        path = known.get(name_or_path) or known[f"{benchmark}/{name_or_path}"]
    else:
        raise unknown_name("prompt", name_or_path, known, "Or give the path of a .yaml file.")
    prompt = _read_prompt(path)
    if variables is not None and (unknown := prompt.variables - set(variables)):
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
