"""See what LangSmith would see: every run of one answer, with its parent, name, tags and time.

python examples/watch_a_trace.py

With LANGSMITH_TRACING=true and LANGSMITH_API_KEY set (see .env.example) the same tree appears in LangSmith.
"""

from langchain_core.tracers.context import collect_runs
from langchain_core.tracers.schemas import Run

from chains import load_chat_model, mnli_zero_shot
from data.registry import load_items
from eval.execution.tracing import Transcript, run_config


def show(run: Run, depth: int = 0) -> None:
    """Print a run and the runs it started."""
    seconds = (run.end_time - run.start_time).total_seconds() if run.end_time else 0.0
    print(f"{'  ' * depth}{run.run_type}: {run.name} {run.tags or ''} {seconds:.2f} s")
    for child in run.child_runs:
        show(child, depth + 1)


item = load_items("mnli", split="sample")[0]
chain = mnli_zero_shot(load_chat_model("smollm2"))
seen = Transcript()
with collect_runs() as traced:
    chain.invoke(item.to_input(), run_config(item, seen, run="example", system="zero-shot", benchmark="mnli"))

show(traced.traced_runs[0])
for message in seen.messages or ():
    print(f"[{message.role}] {message.content}")
