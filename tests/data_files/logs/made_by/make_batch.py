"""Makes batch_input.jsonl and batch_output.jsonl: python make_batch.py PORT FOLDER.

OpenAI's Batch API cannot be asked here: each request of the input file is sent to a loopback server, and its answer is
put into the object that the API reference describes for a line of an output file.
"""

import json
import sys
from pathlib import Path
from urllib.request import Request, urlopen

HERE, PORT, FOLDER = Path(__file__).parent, sys.argv[1], Path(sys.argv[2])
ROWS = [json.loads(line) for line in (HERE / "nli.jsonl").read_text(encoding="utf-8").splitlines()]


def prompt(row: dict) -> str:
    return f"Premise: {row['premise']}\nHypothesis: {row['hypothesis']}\nEntailment, neutral or contradiction?"


def line(asked: dict) -> dict:
    request = Request(f"http://127.0.0.1:{PORT}/v1/chat/completions", json.dumps(asked["body"]).encode())
    with urlopen(request) as answer:
        body = {**json.load(answer), "model": asked["body"]["model"]}
    response = {"status_code": 200, "request_id": f"req-{asked['custom_id']}", "body": body}
    name = asked["custom_id"]
    return {"id": f"batch_req_{name}", "custom_id": name, "response": response, "error": None}


if __name__ == "__main__":
    inputs = [
        {
            "custom_id": f"request-{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "toy-batch", "messages": [{"role": "user", "content": prompt(row)}], "max_tokens": 20},
        }
        for n, row in enumerate(ROWS)
    ]
    outputs = [line(asked) for asked in reversed(inputs)]  # an output is in no order
    failed = {"code": "server_error", "message": "The server had an error."}
    outputs[0] |= {"response": {"status_code": 500, "request_id": "req", "body": {"error": failed}}, "error": None}
    for name, rows in (("batch_input.jsonl", inputs), ("batch_output.jsonl", outputs)):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (FOLDER / name).write_text("".join(lines), encoding="utf-8")
