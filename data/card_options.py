"""What can be said of a labelled file of one's own: one row a field of its card, each declared here alone.

The flags of `python -m data check`, `python -m eval run` and `decide` are made of these rows; in a suite they stand
under `card`. See `data.card` for what each means.
"""

from typing import Any

from data.common.errors import ConfigurationError
from data.common.options import Option

TASK = (
    Option("test", "the file or hf:NAME that is measured, or the share of the rows that is, such as 0.2", "FILE|SHARE"),
    Option("group", "the column whose rows of one value stay on one side, where a share is measured", "COLUMN"),
    Option("text", "the column of the text, or several; NAME=COLUMN names each for the prompt", "COLUMN", several=True),
    Option("label", "the column of the label", "COLUMN"),
    Option("labels", "the labels, in their order", "LABEL", several=True),
    Option("question", "the column of a multiple-choice question", "COLUMN"),
    Option("choices", "the column that holds lists of choices, or one for each choice", "COLUMN", several=True),
    Option("answer", "the column of the right choice: a letter, a number or its text", "COLUMN"),
    Option("answers_from", "whether answers that are numbers count from 0 or from 1", "0|1", int),
    Option("context", "the column of what is read before the question", "COLUMN"),
    Option("passages", "what chains that retrieve look up: a file or folder of md, txt, html or jsonl", "PATH"),
    Option("columns", "the names of all columns of a file without a header", "NAME", several=True),
    Option("encoding", "how the file is encoded, such as cp949", "E"),
    Option("separator", "what separates its cells", "CHAR"),
    Option("language", "of the texts, such as en or ko", "L"),
)


def card_fields(said: dict[str, Any]) -> dict[str, Any]:
    """Return what the flags of `TASK` say as fields of a task's card: a share is a number, and a text may have a name.

    Raises:
        ConfigurationError: Groups are given where nothing is divided.
    """
    fields = {name: value for name, value in said.items() if name != "group"}
    try:
        fields["test"] = {"share": float(said["test"])}
    except (KeyError, ValueError):
        if "group" in said and "test" in said:
            raise ConfigurationError("--group goes with a share that is measured, not with a file as --test") from None
    if "group" in said:
        fields["test"] = {**fields.get("test", {}), "group": said["group"]}
    if "text" in said and all(0 < text.find("=") < len(text) - 1 for text in said["text"]):
        fields["text"] = dict(text.split("=", 1) for text in said["text"])
    return fields
