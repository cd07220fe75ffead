"""What a person must know before any score of a run is believed: replies without text, prompts that may have been cut.

An evaluation's figures in, sentences out, in the report's language. They stand among the first of a report, and at the
end of what a run tells on the terminal.
"""

from data.common.language import ENGLISH, Language
from eval.measures.blank_replies import BlankReplies
from eval.measures.label_order import exchange_words
from eval.measures.prompt_counts import EqualCounts
from eval.report.evaluation import EvaluationFigures
from eval.report.figures import listed
from eval.report.sections.attribution import idle_sentences
from eval.report.system_figures import SystemSummary
from eval.rundir.description import reply_limit_of


def warning_sentences(evaluation: EvaluationFigures, say: Language = ENGLISH) -> list[str]:
    """Say of each system what makes its scores say less than they seem to."""
    said = []
    if evaluation.shard is not None:
        said.append(
            say(
                "These are the items of shard {shard} alone: join the shards with eval merge for the figures of all.",
                shard=evaluation.shard,
            )
        )
    for system in evaluation.systems:
        if system.blank is not None:
            said += _without_text(system, system.blank, say)
    if blank := [system.name for system in evaluation.systems if system.blank is not None]:
        said.append(
            say(
                "Replies without text count as wrong and say nothing about a model: no conclusion on {systems} is "
                "drawn from them.",
                systems=listed(blank, say),
            )
        )
    said += [_equal_counts(s.name, s.equal_counts, say) for s in evaluation.systems if s.equal_counts is not None]
    return [*said, *idle_sentences(evaluation, say)]


def _without_text(system: SystemSummary, blank: BlankReplies, say: Language) -> list[str]:
    figures = {"system": system.name, "all": f"{blank.replies:,}"}
    said = [_cut(blank.cut, reply_limit_of(system.description), figures, say)] if blank.cut else []
    if blank.reasoned:
        said.append(
            say.count(
                blank.reasoned,
                "{system}: {n} of {all} replies holds reasoning and no text; it is kept, and not read as an answer: "
                "see with eval show whether the server takes the answer for reasoning.",
                "{system}: {n} of {all} replies hold reasoning and no text; it is kept, and not read as an answer: "
                "see with eval show whether the server takes the answers for reasoning.",
                **figures,
            )
        )
    if blank.empty:
        said.append(
            say.count(
                blank.empty,
                "{system}: {n} of {all} replies is empty, and nothing says why: see the log of its server.",
                "{system}: {n} of {all} replies are empty, and nothing says why: see the log of its server.",
                **figures,
            )
        )
    return said


def _cut(n: int, limit: int | None, figures: dict[str, str], say: Language) -> str:
    if limit is None:
        return say.count(
            n,
            "{system}: {n} of {all} replies was cut off before any text, at a limit that is not recorded: allow longer "
            "replies.",
            "{system}: {n} of {all} replies were cut off before any text, at a limit that is not recorded: allow "
            "longer replies.",
            **figures,
        )
    return say.count(
        n,
        "{system}: {n} of {all} replies was cut off at max_tokens {limit} before any text: raise --max-tokens.",
        "{system}: {n} of {all} replies were cut off at max_tokens {limit} before any text: raise --max-tokens.",
        limit=str(limit),
        **figures,
    )


def _equal_counts(system: str, found: EqualCounts, say: Language) -> str:
    return say(
        "{system}: {n} of {all} prompts, of {shortest} to {longest} characters, were all counted as {tokens} tokens: "
        "the server may cut prompts silently; see how long a context it was started with (Ollama: num_ctx).",
        system=system,
        n=f"{found.prompts:,}",
        all=f"{found.counted:,}",
        shortest=f"{found.shortest:,}",
        longest=f"{found.longest:,}",
        tokens=f"{found.tokens:,}" if found.fewest == found.tokens else f"{found.fewest:,}–{found.tokens:,}",
    )


def note_sentences(evaluation: EvaluationFigures, say: Language) -> list[str]:
    """Say what else a reader must know: labels that seem exchanged, shortened prompts, answers from the cache."""
    return [*_exchanged_labels(evaluation, say), *_shortened(evaluation, say), *_cached(evaluation, say)]


def _exchanged_labels(evaluation: EvaluationFigures, say: Language) -> list[str]:
    wrongly = "{system} seems to name its labels wrongly: {exchanged}."
    return [
        say(wrongly, system=system.name, exchanged=exchange_words(system.exchanged, say))
        for system in evaluation.systems
        if system.exchanged is not None
    ]


def _shortened(evaluation: EvaluationFigures, say: Language) -> list[str]:
    return [
        say.count(
            system.shortened,
            "{n} of {all} prompts of {system} was longer than the model's context (with room for the answer): "
            "its passage was shortened, by {tokens}.",
            "{n} of {all} prompts of {system} were longer than the model's context (with room for the answer): "
            "their passages were shortened, by {tokens} at most.",
            all=f"{system.records:,}",
            system=system.name,
            tokens=say.count(system.most_cut_tokens, "{n} token", "{n} tokens"),
        )
        for system in evaluation.systems
        if system.shortened
    ]


def _cached(evaluation: EvaluationFigures, say: Language) -> list[str]:
    return [
        say.count(
            system.cached,
            "{n} answer of {system} came from the response cache: it cost nothing now, its time is left out, and a "
            "query's cost counts it as it was first paid for.",
            "{n} answers of {system} came from the response cache: they cost nothing now, their times are left out, "
            "and a query's cost counts them as they were first paid for.",
            system=system.name,
        )
        for system in evaluation.systems
        if system.cached
    ]
