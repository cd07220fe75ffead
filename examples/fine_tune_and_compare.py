"""Fine-tune a small encoder on your pairs and set it beside a prompted model on the same items.

python examples/fine_tune_and_compare.py runs/mine   # packaged weights and samples, no key, about two minutes
"""

import sys

from eval.api import evaluate

run = evaluate(
    "mnli",
    {
        "prompted": {"chain": "mnli-zero-shot", "model": "smollm2"},
        "tuned": {"finetune": {"model": "minilm", "epochs": 1, "max_length": 64}},
    },
    split="sample",
    out=sys.argv[1] if len(sys.argv) > 1 else "runs/mine",
)

print(run)
for pair in run.compare():
    print(f"{pair.a} − {pair.b}: {100 * pair.difference:+.1f} points over {pair.n} items, p = {pair.p_holm:.2g}")
