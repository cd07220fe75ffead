"""Keeps keys out of everything a run writes: whatever looks like one, or is one in the environment, is struck out."""

import json
import os
import re
from collections.abc import Callable

STRUCK_OUT = "[redacted]"
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")
_SHORTEST = 8  # a shorter value is too likely to be an ordinary word
_KEY_FORMS = (
    r"\b(?:sk|pk|rk|xai)-(?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, xAI
    r"|\b(?:hf|gsk|ghp|gho|lsv2)_[A-Za-z0-9_]{20,}"  # Hugging Face, Groq, GitHub, LangSmith
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[A-Za-z0-9_-]{30,}"  # AWS, Google
    r"|(?<=Bearer )[A-Za-z0-9._~+/-]{8,}=*"
    r"|(?<=://)[^/\s:@\"]+:[^/\s@\"]+(?=@)"  # user:password in an address
)


def make_redactor() -> Callable[[str], str]:
    """Return a function that strikes out every secret that the environment holds now, and all that look like one."""
    values = {value for name, value in os.environ.items() if len(value) >= _SHORTEST and _SECRET_NAME.search(name)}
    written = {form for value in values for form in (value, _in_json(value, True), _in_json(value, False))}
    known = [re.escape(form) for form in sorted(written, key=len, reverse=True)]
    pattern = re.compile("|".join([*known, _KEY_FORMS]))
    return lambda text: pattern.sub(STRUCK_OUT, text)


def _in_json(value: str, ensure_ascii: bool) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii)[1:-1]
