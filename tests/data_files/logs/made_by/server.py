"""Answers the prompts of the logs' makers on a loopback port: python server.py PORT, from the repository's root.

What it says is drawn by the prompt's hash, in several forms of which some are read otherwise by the tools than here.
"""

import hashlib
import re
import sys
import time
from http.server import ThreadingHTTPServer

from tests.support import chat_endpoint

NLI = ("entailment", "neutral", "contradiction")
FORMS = ("ANSWER: {}", "ANSWER: {}", "The answer is {}.", "ANSWER: {}")


def reply(body: dict) -> str:
    said = "\n".join(str(message["content"]) for message in body["messages"])
    drawn = hashlib.sha256((str(body.get("model")) + said).encode()).digest()
    if re.search(r"^A[.)] ", said, re.MULTILINE):
        return FORMS[drawn[1] % len(FORMS)].format("ABCD"[drawn[0] % 4])
    label = NLI[drawn[0] % 3]
    return (label, f"{label.capitalize()}.", f"This is not {NLI[(drawn[0] + 1) % 3]} but {label}.")[drawn[1] % 3]


if __name__ == "__main__":
    chat_endpoint._Server = lambda _, handler: ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler)
    with chat_endpoint.serve_chat(reply, prompt_tokens=lambda body: len(str(body["messages"]).split())):
        time.sleep(3600)
