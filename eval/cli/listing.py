"""What `python -m eval list` knows: every registry as name → one line."""

from collections.abc import Callable


def benchmarks() -> dict[str, str]:
    from data.card import SHIPPED
    from data.registry import BENCHMARKS, benchmark

    return {name: benchmark(name).title for name in (*BENCHMARKS, *SHIPPED)}


def chains() -> dict[str, str]:
    from chains.registry import CHAINS

    return {name: f"{entry.summary} (needs {', '.join(entry.named_needs)})" for name, entry in CHAINS.items()}


def models() -> dict[str, str]:
    from chains.models.specs import model_kinds

    return {kind.name: f"{kind.spec}: {kind.summary}" for kind in model_kinds()}


def prompts() -> dict[str, str]:
    from chains.prompt_files import list_prompts
    from data.common.parsing import read_yaml

    return {name: read_yaml(path, kind="prompt").content["technique"] for name, path in list_prompts().items()}


def retrievers() -> dict[str, str]:
    from retrievers.registry import RETRIEVER_SUMMARIES, RETRIEVERS, STEP_SUMMARIES, STEPS

    after = {f"+{name}": STEP_SUMMARIES.get(name, "") for name in STEPS}  # as in hybrid+rerank
    return {name: RETRIEVER_SUMMARIES.get(name, "") for name in RETRIEVERS} | after


def suites() -> dict[str, str]:
    from eval.plan.suite import list_suites, load_suite

    return {
        name: "; ".join(
            f"{part.benchmark}: {', '.join(system.name for system in part.systems)}"
            for part in load_suite(name).evaluations
        )
        for name in list_suites()
    }


def systems() -> dict[str, str]:
    from eval.plan.baselines import BASELINES

    return {
        **{name: one.about for name, one in BASELINES.items()},
        "chain": "any of the chains, with a model",
        "checkpoint": "an encoder that python -m finetune train made",
        "finetune": "an encoder that is trained as part of the run (suites)",
    }


KINDS: dict[str, Callable[[], dict[str, str]]] = {
    "benchmarks": benchmarks,
    "chains": chains,
    "models": models,
    "prompts": prompts,
    "retrievers": retrievers,
    "suites": suites,
    "systems": systems,
}
