"""The bare client: LangChain's `ChatOpenAI(max_retries=10).batch` over a file of conversations, and nothing else.

    python bare_client.py samples.json http://127.0.0.1:1234/v1 64 [TIMEOUT_S]

Out goes one JSON object: `{"answered": …, "lost": …}`.
"""

import json
import sys
from pathlib import Path

from langchain_openai import ChatOpenAI
from pydantic import SecretStr


def main() -> None:
    """Ask all of it."""
    samples, base_url, concurrency, *timeout_s = sys.argv[1:]
    model = ChatOpenAI(
        model="served",
        base_url=base_url,
        api_key=SecretStr("no-key"),
        temperature=0,
        max_completion_tokens=16,
        max_retries=10,
        timeout=float(timeout_s[0]) if timeout_s else None,
    )
    conversations = [sample["input"] for sample in json.loads(Path(samples).read_text(encoding="utf-8"))]
    replies = model.batch(conversations, {"max_concurrency": int(concurrency)}, return_exceptions=True)
    lost = sum(isinstance(reply, Exception) for reply in replies)
    print(json.dumps({"answered": len(replies) - lost, "lost": lost}))


if __name__ == "__main__":
    main()
