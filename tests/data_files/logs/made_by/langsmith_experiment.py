"""Makes langsmith.csv without an account: python langsmith_experiment.py PORT FILE."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import NAMESPACE_URL, uuid5

from langsmith import Client, evaluate
from langsmith.schemas import Example

HERE, PORT, FILE = Path(__file__).parent, *sys.argv[1:3]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = [json.loads(line) for line in (HERE / "nli.jsonl").read_text(encoding="utf-8").splitlines()]
EXAMPLES = [
    Example(
        id=uuid5(NAMESPACE_URL, str(n)),
        dataset_id=uuid5(NAMESPACE_URL, "toy"),
        inputs={"premise": row["premise"], "hypothesis": row["hypothesis"]},
        outputs={"label": row["label"]},
        created_at=NOW,
        modified_at=NOW,
    )
    for n, row in enumerate(ROWS)
]


def asked(inputs: dict) -> dict:
    text = f"{inputs['premise']}\n{inputs['hypothesis']}\nEntailment, neutral or contradiction?"
    body = {"model": "toy-small", "messages": [{"role": "user", "content": text}]}
    request = Request(f"http://127.0.0.1:{PORT}/v1/chat/completions", json.dumps(body).encode())
    with urlopen(request) as answer:
        return {"answer": json.load(answer)["choices"][0]["message"]["content"]}


def right(outputs: dict, reference_outputs: dict) -> bool:
    return outputs["answer"].strip(" .").lower() == reference_outputs["label"]


if __name__ == "__main__":
    client = Client(api_key="none", auto_batch_tracing=False)
    found = evaluate(asked, data=EXAMPLES, evaluators=[right], upload_results=False, client=client, blocking=True)
    found.to_pandas().to_csv(FILE, index=False)
