"""Fine-tune a small encoder on your pairs and set it beside a prompted model on the same items.

python examples/fine_tune_and_compare.py runs/mine   # packaged weights and samples, no key, about two minutes
"""

import sys
from pathlib import Path

from eval.execution.runner import run
from eval.plan.planning import plan
from eval.plan.suite import EvaluationSpec, Suite, SystemSpec
from eval.report import write_report
from eval.report.render.terminal import terminal_table
from eval.report.summary import summarize

run_dir = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/mine")
suite = Suite(
    name="mine",
    evaluations=(
        EvaluationSpec(
            benchmark="mnli",
            split="sample",
            systems=(
                SystemSpec(name="prompted", chain="mnli-zero-shot", model="smollm2"),
                SystemSpec(name="tuned", finetune={"model": "minilm", "epochs": 1, "max_length": 64}),
            ),
        ),
    ),
)

run(plan(suite), run_dir)
write_report(run_dir)
print(terminal_table(summarize(run_dir)))
