"""docs/options.md: every setting of a suite and of `python -m eval run`, made of their declarations.

`python -m pytest tests/eval/cli/test_options_page.py --update-golden` writes the file.
"""

from collections.abc import Sequence

from data.card_options import TASK
from data.common.options import Option
from eval.plan.settings.options import BATCHES, CALLS, ITEMS, SYSTEM, VERDICT

_INTRODUCTION = """# Settings

Each setting is a key of a suite's YAML file and a flag of `python -m eval run`, with the same meaning. This page is
made of their declarations in `eval/plan/settings/options.py` and `data/card_options.py`.
"""

_SYSTEM_ABOUT = """A system is exactly one of `chain`, `checkpoint`, `baseline` and `finetune`.

In a suite an entry may have a `matrix` in the place of some settings: a list of values for each, or a mapping of names
to values. It stands for a system for each combination, here `ask.gpt.none`, `ask.gpt.eight` and so on, as if each had
been written out; the report shows what each value is worth, on average over the values of the other settings.

```yaml
- name: ask
  chain: classify
  matrix:
    model: [gpt, smollm2]
    examples: {none: null, eight: similar:8}
```

`prompts: [zero-shot, mine.yaml]` stands in the place of `prompt` for two wordings or more: a system for each, here
`ask.zero-shot` and `ask.mine`, and in the report their mean, how far they lie apart, and differences that know of the
wordings too: see [prompts](prompts.md). A `matrix` of other settings may stand beside it."""


def options_page() -> str:
    """Return the page as Markdown."""
    parts = [
        _INTRODUCTION,
        _section("Of a system", _SYSTEM_ABOUT, SYSTEM),
        _section("Of the items", "In a suite they stand beside `benchmark`; it is the first word after `run`.", ITEMS),
        _section(
            "Of a labelled file of your own",
            "What these do not say is guessed, and each guess is printed. In a suite they stand under `card`, and\n"
            "in a task's card by themselves: see [own data](own-data.md).",
            TASK,
        ),
        _section(
            "Of the verdict", "In a suite they stand beside `name`. What they mean: [verdict](verdict.md).", VERDICT
        ),
        _section(
            "Of calls over a network",
            "No suite has these: they change no answer. `--cache` takes replies from the response cache and keeps\n"
            "them there; `--cache-sampled` does so for sampled ones too. In a script all of them are fields of\n"
            "`eval.api.CallPolicy`.",
            CALLS,
        ),
        _section(
            "Of batch APIs",
            "No suite has these either; in a script they are fields of `eval.api.CallPolicy`. See\n"
            "[batches](batch-api.md).",
            BATCHES,
        ),
    ]
    return "\n".join(parts)


def _section(title: str, about: str, options: Sequence[Option]) -> str:
    rows = [_row(option) for option in options]
    return "\n".join([f"## {title}\n", f"{about}\n", *_TABLE, *rows, ""])


_TABLE = ("| name | flag | value | default | what it does |", "|---|---|---|---|---|")


def _row(option: Option) -> str:
    value = (
        ", ".join(f"`{choice}`" for choice in option.choices)
        or option.metavar
        or ("true" if option.kind is bool else "")
    )
    default = "" if option.default in (None, False, "") else f"`{option.default}`"
    flag = f"`{option.spelt}`" if option.spelt else "–"
    return f"| `{option.name}` | {flag} | {value} | {default} | {option.about} |"
