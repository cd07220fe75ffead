"""The trials of a search for a prompt: a wording and a set of examples are tried on items that are learnt from.

Training items in, the trials out. GEPA keeps the pool of candidates: in each round it takes one from the Pareto front
over the held-out items, has one of its parts changed, tries the change on a few items, and where that is better, on all
that are held out. The model itself words a new instruction from what it got right and wrong; a new set of examples is
drawn by the next seed. No item that is measured in the end is in here.

Source:
    Agrawal et al. 2025, GEPA: Reflective Prompt Evolution Can Outperform Reinforcement Learning, arXiv:2507.19457.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from chains.examples import choose_fixed, item_text
from chains.prompt_files import Prompt, in_language, load_prompt
from data.common.files import write_atomically
from data.common.progress import log
from data.types import Item, Record
from eval.execution.runner import run
from eval.execution.system_journal import TooManyErrorsError
from eval.plan.own_parts import OwnParts, own_suite
from eval.plan.planning import plan
from eval.plan.settings.call_policy import CallPolicy
from eval.rundir.journal import read_records, records_path

WORDING, EXAMPLES = "wording", "examples"
NO_EXAMPLES = "0"
SHOWN = 8  # examples in a set
AT_ONCE = 6  # items that a change is tried on first
LONGEST = 4_000  # characters of a wording: a model that repeats itself ends nowhere

Candidate = Mapping[str, str]  # the instruction, and the seed of the set of examples


class Task(NamedTuple):
    """What is searched on.

    Attributes:
        pool: Items that examples are drawn from, and that a change is tried on first.
        held_out: Items that candidates are compared on.
        meanings: What labels mean, by label.
        folder: Where the prompts, the examples and the runs of the trials go.
    """

    pool: Sequence[Item]
    held_out: Sequence[Item]
    language: str
    meanings: Mapping[str, str]
    folder: Path


class Trial(NamedTuple):
    """A candidate that was compared on the held-out items, and the share of these that it has right."""

    candidate: Candidate
    accuracy: float


class Trials:
    """Tries candidates, and proposes new ones: what GEPA calls an adapter.

    Args:
        task: What is searched on.
        model: The spec of the model that answers.
        reflect: Has a model say how a text might be better: a prompt in, its reply out.
        policy: How calls are made.
        seed: The seed of the runs.
        max_concurrency: Calls in flight.
    """

    def __init__(
        self,
        task: Task,
        *,
        model: str,
        reflect: Callable[[str], str],
        policy: CallPolicy,
        seed: int,
        max_concurrency: int,
    ) -> None:
        self._task, self._model, self._reflect, self._policy = task, model, reflect, policy
        self._seed, self._max_concurrency = seed, max_concurrency
        self._base = load_prompt(in_language("classify/examples", task.language))
        self._wordings: dict[str, str] = {}  # the wording → its name
        self._drawn, self._asked = int(NO_EXAMPLES), 0

    @property
    def first(self) -> dict[str, str]:
        """The project's own instruction, without examples."""
        return {WORDING: self._base.system.partition("\n\n")[0].strip(), EXAMPLES: NO_EXAMPLES}

    def settings(self, candidate: Candidate) -> dict[str, str]:
        """Write a candidate's files, and return the entry of a suite that asks so."""
        name = self._wordings.setdefault(candidate[WORDING], f"wording-{len(self._wordings)}")
        prompt = self._task.folder / f"{name}.yaml"
        if not prompt.exists():
            content = self._prompt(name, candidate[WORDING]).model_dump(mode="json", exclude_none=True)
            write_atomically(prompt, yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120))
        entry = {"chain": "classify", "model": self._model, "prompt": str(prompt)}
        if candidate[EXAMPLES] != NO_EXAMPLES:
            entry["examples"] = str(self._examples(int(candidate[EXAMPLES])))
        return entry

    def _prompt(self, name: str, wording: str) -> Prompt:
        meanings = self._task.meanings
        labels = [f"- {one}: {meanings[one]}" if one in meanings else f"- {one}" for one in self._task.pool[0].choices]
        about = self._base.system.partition("\n\n")[2].replace("{labels}", _literal("\n".join(labels)))
        changed = {"id": name, "system": f"{_literal(wording)}\n\n{about}", "technique": "tried by eval prompts"}
        if wording != self.first[WORDING]:
            changed["source"] = f"worded by {self._model}"
        return self._base.model_copy(update=changed)

    def _examples(self, seed: int) -> Path:
        path = self._task.folder / f"examples-{seed}.jsonl"
        if not path.exists():
            by_id = {item.id: item for item in self._task.pool}
            chosen = choose_fixed(self._task.pool, select="balanced", n=SHOWN, seed=seed)[:SHOWN]
            rows = [{**by_id[one].inputs, "label": by_id[one].choices[by_id[one].target]} for one in chosen]
            write_atomically(path, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
        return path

    # --- what GEPA calls

    def evaluate(self, batch: list[Item], candidate: dict[str, str], capture_traces: bool = False) -> Any:
        """Ask a candidate some items, in a run of their own."""
        from gepa.core.adapter import EvaluationBatch

        self._asked += 1
        suite, own = own_suite(
            batch, {"try": self.settings(candidate)}, benchmark=None, train=(), seed=self._seed, evaluation={}
        )
        folder = self._task.folder / "trials" / f"{self._asked:03}"
        planned = plan(suite, policy=self._policy, own=OwnParts(own.items, (), own.systems))
        more: dict[str, Any] = {"max_concurrency": self._max_concurrency, "max_errors": 0, "policy": self._policy}
        try:
            run(planned, folder, **more)
        except TooManyErrorsError:
            raise TooManyErrorsError(
                f"the model failed on an item, see {folder}; a failure is no wrong answer, so nothing is compared on "
                "it: mend it, or give more --retries, and start again with another --out"
            ) from None
        found = {one.item.id: one for one in read_records(records_path(folder, "try"))}
        records = [found[item.id] for item in batch]
        scores = [float(_is_right(one)) for one in records]
        return EvaluationBatch(outputs=records, scores=scores, trajectories=records if capture_traces else None)

    def make_reflective_dataset(
        self, candidate: dict[str, str], eval_batch: Any, components_to_update: list[str]
    ) -> dict[str, list[dict[str, str]]]:
        """Return what a candidate got right and wrong, for each part that is to be changed."""
        seen = [
            {"Text": item_text(one.item.to_input()), "Answer": _answer(one), "Feedback": _feedback(one)}
            for one in eval_batch.trajectories
        ]
        return dict.fromkeys(components_to_update, seen)

    def propose_new_texts(
        self, candidate: dict[str, str], reflective_dataset: Any, components_to_update: list[str]
    ) -> dict[str, str]:
        """Change parts of a candidate."""
        changed = {}
        if EXAMPLES in components_to_update:
            self._drawn += 1
            changed[EXAMPLES] = str(self._drawn)
        if WORDING in components_to_update:
            changed[WORDING] = self._reworded(candidate[WORDING], reflective_dataset[WORDING])
        return changed

    def _reworded(self, wording: str, seen: Sequence[Mapping[str, str]]) -> str:
        from gepa.strategies.instruction_proposal import InstructionProposalSignature

        given = {"current_instruction_doc": wording, "dataset_with_feedback": [dict(one) for one in seen]}
        proposed = InstructionProposalSignature.run(lm=lambda prompt: self._reflect(str(prompt)), input_dict=given)
        return proposed["new_instruction"].strip()[:LONGEST] or wording


def search(trials: Trials, task: Task, *, rounds: int, seed: int) -> list[Trial]:
    """Search, and return what was compared on the held-out items, in the order in which it was found.

    Args:
        trials: Tries and proposes.
        task: What is searched on.
        rounds: How many changes are tried.
        seed: Decides which candidates and items each round takes.
    """
    from gepa.api import optimize

    adapter: Any = trials  # its types are GEPA's, which is not there for all who read this module
    found: Any = optimize(
        seed_candidate=trials.first,
        trainset=list(task.pool),
        valset=list(task.held_out),
        adapter=adapter,
        reflection_minibatch_size=min(AT_ONCE, len(task.pool)),
        skip_perfect_score=False,
        stop_callbacks=lambda state: state.i + 1 >= rounds,
        logger=_Quiet(),
        seed=seed,
    )
    return [Trial(*one) for one in zip(found.candidates, found.val_aggregate_scores, strict=True)]


class _Quiet:
    """Drops what GEPA says as it goes, texts of items among it; each round is said by the runs themselves."""

    def log(self, message: str) -> None:
        """Say nothing."""


def announce(found: Sequence[Trial]) -> None:
    """Say what was compared on the held-out items."""
    for place, trial in enumerate(found):
        shown = "no examples" if trial.candidate[EXAMPLES] == NO_EXAMPLES else f"examples {trial.candidate[EXAMPLES]}"
        log(f"candidate {place}: {100 * trial.accuracy:.1f}% of the held-out items, {shown}")


def _is_right(record: Record) -> bool:
    return record.prediction is not None and record.prediction.choice == record.item.target


def _answer(record: Record) -> str:
    choice = None if record.prediction is None else record.prediction.choice
    return "none of the labels" if choice is None else record.item.choices[choice]


def _feedback(record: Record) -> str:
    return "right" if _is_right(record) else f"wrong: the label is {record.item.choices[record.item.target]}"


def _literal(text: str) -> str:
    """Return a text as a part of a template that is that text."""
    return text.replace("{", "{{").replace("}", "}}")
