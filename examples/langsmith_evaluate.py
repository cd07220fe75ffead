"""A chain of this project under the LangSmith SDK's own evaluate(), over a dataset that is made of a benchmark's items.

python examples/langsmith_evaluate.py

It needs LANGSMITH_API_KEY (see .env.example). `python -m eval run … --langsmith-dataset NAME` makes the same of a run.
"""

from typing import Any

from langsmith import Client, evaluate

from chains import load_chat_model, mnli_zero_shot
from data.registry import load_items

client = Client()
items = load_items("mnli", split="sample")[:5]
dataset = client.create_dataset("mnli-sample-by-hand")
client.create_examples(
    dataset_id=dataset.id,
    examples=[{"inputs": item.to_input(), "reference_outputs": {"choice": item.target}} for item in items],
)
chain = mnli_zero_shot(load_chat_model("smollm2"))


def correct(outputs: dict[str, Any], reference_outputs: dict[str, Any]) -> dict[str, Any]:
    """Score one answer: its outputs are the fields of a prediction."""
    return {"key": "correct", "score": outputs["choice"] == reference_outputs["choice"]}


found = evaluate(chain.invoke, data=dataset.name, evaluators=[correct], experiment_prefix="zero-shot", client=client)
right = [result["evaluation_results"]["results"][0].score for result in found]
client.flush()  # scores are sent in the background
print(f"{sum(map(bool, right))} of {len(right)} right, in the experiment {found.experiment_name}")
