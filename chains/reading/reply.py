"""What a whole reply states, by the form of answer that its prompt asked for.

A text in, the choice that it commits to out; also where the text is nothing but thoughts, or a JSON object that the
provider was told to write.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from chains.models.families import split_thoughts
from chains.models.reply_schema import ANSWER
from chains.reading.extraction import Extraction, visible_text
from chains.reading.labels import extract_label
from data.common.text import normalised
from data.types import NO_TEXT, is_text


class ReadText(NamedTuple):
    """What a text states, and its two parts where it is nothing but thoughts: then `raw` is empty."""

    extraction: Extraction
    raw: str
    reasoning: str


def read_text(
    text: str,
    choices: Sequence[str],
    *,
    form: str,
    finish_reason: str,
    prompt: str = "",
    question: str = "",
    structured: bool = False,
) -> ReadText:
    """Read a reply's text as `extract` does, and tell whether there was any text that could be an answer.

    Thoughts that nothing follows are no text, and a reply without text is named so by its rule. For the arguments see
    `extract`; `structured` says that the reply was to be the object of a schema.
    """
    if structured and (answered := extract_answer(text, choices, form=form)) is not None:
        return ReadText(answered, text, "")
    thoughts = split_thoughts(text)
    said, _ = visible_text(text)
    extraction = extract(text, choices, form=form, finish_reason=finish_reason, prompt=prompt, question=question)
    if extraction.choice is not None or is_text(said):
        return ReadText(extraction, text, "")
    reasoning = thoughts.reasoning or (text if is_text(text) else "")  # in other markup than the models' own
    raw = "" if reasoning else text
    if extraction.status == "refusal":
        return ReadText(extraction, raw, reasoning)
    return ReadText(extraction._replace(rule=NO_TEXT), raw, reasoning)


def extract(
    text: str, choices: Sequence[str], *, form: str, finish_reason: str, prompt: str = "", question: str = ""
) -> Extraction:
    """Read the choice out of a reply, by the form of answer that the prompt asked for.

    Args:
        text: What the reply says.
        choices: What it could have said.
        form: "number" or "label".
        finish_reason: Why it ended, as `read_finish_reason` says it.
        prompt: What the model was shown; "" where that is not known. Labels count by number only if it numbers them.
        question: What was asked, which tells whether the answer is the one right or the one wrong choice.
    """
    truncated = finish_reason == "length"
    if form == "number":
        # Here, since their patterns take 12 ms to compile, which a run over labels would wait for in vain.
        from chains.reading.choices import extract_choice
        from data.polarity import asks_for_the_wrong_one

        negative = asks_for_the_wrong_one(question)
        extraction = extract_choice(text, len(choices), choices=choices, truncated=truncated, negative=negative)
    else:
        extraction = extract_label(text, choices, truncated=truncated, prompt=prompt)
    if extraction.choice is None and finish_reason in ("refusal", "content_filter"):
        return Extraction(None, "refusal", finish_reason)
    return extraction


def extract_answer(text: str, choices: Sequence[str], *, form: str) -> Extraction | None:
    """Read the answer of the object that `chains.models.reply_schema` asks for; None where a text is no such object.

    Args:
        text: What the reply says.
        choices: What it could have said.
        form: As for `extract`.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    answer = said.get(ANSWER) if isinstance(said, dict) else None
    labels = [str(number) for number in range(1, len(choices) + 1)] if form == "number" else list(choices)
    # A server that does not keep to the schema may write the number as one.
    meant = str(answer) if type(answer) is int else normalised(answer) if isinstance(answer, str) else ""
    return Extraction(labels.index(meant), "ok", "structured") if meant in labels else None
