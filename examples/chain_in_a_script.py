"""Ask one KICE problem with retrieval, in a script of your own.

python examples/chain_in_a_script.py                 # packaged SmolLM2, no key
python examples/chain_in_a_script.py openai:gpt-4o-mini
"""

import sys

from chains import kice_rag, load_chat_model
from data.registry import load_items
from retrievers import build_retriever, passages_from_items

model = load_chat_model(sys.argv[1] if len(sys.argv) > 1 else "smollm2", max_tokens=64)
items = load_items("kice", split="sample")
retriever = build_retriever("bm25", passages_from_items(items), k=2)

chain = kice_rag(model, retriever).with_retry(stop_after_attempt=2)
prediction = chain.invoke(items[0].to_input())

print(items[0].inputs["question"])
print(f"predicted {prediction.choice}, right is {items[0].target}, found {', '.join(prediction.document_ids)}")
