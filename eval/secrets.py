"""Keeps keys out of everything a run writes: whatever looks like one, or is one in the environment, is struck out."""

import os
import re
from collections.abc import Callable

STRUCK_OUT = "[redacted]"
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")
_SHORTEST = 8  # a shorter value is too likely to be an ordinary word
_KEY_FORMS = (
    r"\b(?:sk|pk|rk|lsv2|hf|gsk|xai)[-_][A-Za-z0-9_-]{6,}"  # the key forms of OpenAI, LangSmith, HF, Groq, xAI
    r"|(?<=Bearer )[A-Za-z0-9._~+/-]{8,}=*"
    r"|(?<=://)[^/\s:@\"]+:[^/\s@\"]+(?=@)"  # user:password in an address
)


def make_redactor() -> Callable[[str], str]:
    """Return a function that strikes out every secret that the environment holds now, and all that look like one."""
    values = {value for name, value in os.environ.items() if len(value) >= _SHORTEST and _SECRET_NAME.search(name)}
    known = [re.escape(value) for value in sorted(values, key=len, reverse=True)]
    pattern = re.compile("|".join([*known, _KEY_FORMS]))
    return lambda text: pattern.sub(STRUCK_OUT, text)
