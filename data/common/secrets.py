"""Keeps keys out of everything a run writes: whatever looks like one, or is one in the environment, is struck out."""

import json
import os
import re
from collections.abc import Callable

STRUCK_OUT = "[redacted]"
_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD)S?(_?\d+)?$", re.IGNORECASE)
_SHORTEST = 8  # a shorter value is too likely to be an ordinary word
# A digit is looked for so far only, or a text of nothing but prefixes would take time that grows with its square.
_WITH_DIGIT = r"(?=[A-Za-z0-9_-]{0,63}\d)[A-Za-z0-9_-]{16,}"
# Not within a word; in JSON a key may follow the escape of a line break or of a letter, which ends like one.
_START = r"(?:(?<![A-Za-z0-9_])|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4}))"
# What every key of a kind holds, which is quick to look for, and the whole of one.
_KEY_FORMS = {
    **{prefix: rf"{_START}{prefix}{_WITH_DIGIT}" for prefix in ("sk-", "pk-", "rk-", "xai-", "pplx-", "nvapi-")},
    **{
        prefix: rf"{_START}{prefix}[A-Za-z0-9_]{{20,}}"
        for prefix in ("hf_", "gsk_", "ghp_", "gho_", "github_pat_", "lsv2_")
    },
    "AKIA": rf"{_START}AKIA[0-9A-Z]{{16}}\b",  # AWS
    "AIza": rf"{_START}AIza[A-Za-z0-9_-]{{30,}}",  # Google
    "Bearer ": r"(?<=Bearer )[A-Za-z0-9._~+/-]{8,}=*",
    "://": r"(?<=://)[^/\s:@\"]+:[^/\s@\"]+(?=@)",  # user:password in an address
}


def make_redactor() -> Callable[[str], str]:
    """Return a function that strikes out every secret that the environment holds now, and all that look like one."""
    secret = [value for name, value in os.environ.items() if _SECRET_NAME.search(name)]
    # A key with a line break after it is told without, or with the break escaped twice.
    values = {part for value in secret for part in (value, *value.split()) if len(part) >= _SHORTEST}
    written = {form for value in values for form in (value, _in_json(value, True), _in_json(value, False))}
    forms = {form: re.escape(form) for form in sorted(written, key=len, reverse=True)} | _KEY_FORMS
    patterns = [(hint, re.compile(form)) for hint, form in forms.items()]

    def redact(text: str) -> str:
        for hint, pattern in patterns:
            if hint in text:
                text = pattern.sub(STRUCK_OUT, text)
        return text

    return redact


def _in_json(value: str, ensure_ascii: bool) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii)[1:-1]
