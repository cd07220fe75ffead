"""A chain of your own that the command line can run, with no line of this project changed.

python -m eval run mnli --split sample --limit 10 --chain examples.own_chain:cautious --model smollm2
"""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda

from chains import extract_label
from data.types import Prediction

LABELS = ("entailment", "neutral", "contradiction")
PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer with one word: entailment, neutral or contradiction. If in doubt, answer neutral."),
        ("human", "{premise}\nDoes it follow that: {hypothesis}"),
    ]
)


def read(reply: AIMessage) -> Prediction:
    """Read a label out of the reply; what holds none counts as neutral, because this chain is cautious."""
    found = extract_label(reply.text, LABELS)
    choice = LABELS.index("neutral") if found.choice is None else found.choice
    return Prediction(choice=choice, status="ok", rule=found.rule or "cautious", raw=reply.text)


def cautious(model: BaseChatModel) -> Runnable[dict[str, Any], Prediction]:
    """Return prompt | model | read: a chain is any factory that returns a Runnable from inputs to a Prediction."""
    return PROMPT | model.bind(max_tokens=8) | RunnableLambda(read)
