"""What a run would send and cost: every prompt is rendered for real, and nothing is asked."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableParallel, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from chains.models.addresses import given_address
from chains.models.request_fields import limit_of
from chains.models.specs import reply_tokens, resolve_spec
from chains.models.token_counts import TokenCounter, token_counter
from data.common.errors import ConfigurationError, ProjectError
from data.common.language import ENGLISH, Language
from data.common.text import mentioned, text_of
from data.registry import benchmark
from data.types import Item, Message
from eval.execution.tracing import sent_messages
from eval.measures.power import reach_lines
from eval.measures.prices import estimate_request_tokens, estimate_tokens, price, price_table
from eval.plan.chain_predictor import Predictor
from eval.plan.chain_systems import prepare_chain
from eval.plan.context import Context, load_evaluated
from eval.plan.settings.specs import EvaluationSpec, Suite, SystemSpec
from eval.plan.students import texts_to_label
from eval.rundir.priced_parts import priced_name


class Estimate(NamedTuple):
    """What a chain would be asked.

    Attributes:
        first: The first item's messages.
        input_tokens: Over all items, with the tools or the schema that a model is told of.
        counted_by: What counted them: the model's tokenizer, or a rule of thumb, on the high side for Korean.
        output_tokens: At most, by the prompt's limit.
        usd: At most, as far as input_tokens is right; None where the model's price is unknown.
    """

    system: str
    items: int
    first: Sequence[Message]
    input_tokens: int
    counted_by: str
    output_tokens: int
    usd: float | None


class _SilentModel(BaseChatModel):
    """Stands where the model would be, so that a chain renders its prompts: uses tools while it may, says nothing."""

    @property
    def _llm_type(self) -> str:
        return "silent"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        tools: list[BaseTool] = [] if kwargs.get("tool_choice") == "none" else kwargs.get("tools", [])
        arguments = {tool.name: dict.fromkeys(tool.args, messages[-1].text) for tool in tools[:1]}
        calls = [ToolCall(name=name, args=args, id=f"{len(messages)}") for name, args in arguments.items()]
        return ChatResult(generations=[ChatGeneration(message=AIMessage("", tool_calls=calls))])

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=tools, **kwargs)

    def with_structured_output(self, schema: Any = None, **kwargs: Any) -> Runnable[LanguageModelInput, Any]:
        return RunnableParallel(raw=self.bind(response_format=schema)) | RunnablePassthrough()


RULE_OF_THUMB = TokenCounter(
    estimate_request_tokens, estimate_tokens, "a rule of thumb: no tokenizer of the model is at hand"
)


def estimate(suite: Suite, *, counter: TokenCounter | None = None) -> list[Estimate]:
    """Estimate every chain of a suite; systems that send no prompt have no estimate.

    Args:
        suite: What would be asked.
        counter: What counts tokens; None: the tokenizer of each model, where it is at hand.
    """
    return [
        _estimate_chain(system, spec, suite.seed, counter)
        for spec in suite.evaluations
        for system in spec.systems
        if system.kind == "chain"
    ]


def _estimate_chain(system: SystemSpec, spec: EvaluationSpec, seed: int, counter: TokenCounter | None) -> Estimate:
    pool = load_evaluated(spec)
    # Embedding the passages by API would be a call; the length of what is found hardly depends on the retriever.
    if (system.embeddings or "").startswith("openai:"):
        system = system.model_copy(update={"retriever": "bm25", "embeddings": None})
    context = Context(benchmark=benchmark(spec.benchmark, card=spec.card), spec=spec, items=pool, seed=seed)
    prepared = prepare_chain(system, context)
    # No model is loaded, so none scores, and none measures what is too long; a schema is sent, and counts.
    answering = "structured" if system.answering == "structured" else "auto"
    model = _SilentModel() if prepared.needs_model else None
    predictor = prepared.predictor(model=model, seed=seed, answering=answering, too_long="error")
    items = [*pool[: spec.limit], *_to_label(system, context)]
    sent = _Requests()
    for item in items:
        _invoke(predictor, item, sent, chain=str(system.chain))
    answer_tokens = system.max_tokens or prepared.max_tokens or 0
    spec_name = resolve_spec(system.model) if system.model else ""
    counter = counter or (token_counter(spec_name) if spec_name else None) or RULE_OF_THUMB
    input_tokens = sum(counter.request(sent_one) for sent_one in sent.requests) + sum(map(counter.text, sent.added))
    longest = limit_of(system.request) or (reply_tokens(spec_name, answer_tokens) if spec_name else 0)
    output_tokens = len(sent.requests) * longest
    usage = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    return Estimate(
        system.name,
        len(items),
        sent.requests[0] if sent.requests else (),
        input_tokens,
        counter.by,
        output_tokens,
        price(usage, priced_name(spec_name, given_address(spec_name))),
    )


def _to_label(teacher: SystemSpec, context: Context) -> list[Item]:
    """Return the texts that a system labels for its students, each once."""
    students = (one for one in context.spec.systems if one.labels_from == teacher.name)
    learns = teacher.examples is not None
    texts = (item for one in students for item in texts_to_label(one, context, learns=learns))
    return list({item.id: item for item in texts}.values())


def _invoke(predictor: Predictor, item: Item, sent: BaseCallbackHandler, *, chain: str) -> None:
    try:
        predictor.invoke(item.to_input(), {"callbacks": [sent]})
    except ProjectError:
        raise
    except (
        Exception,
        SystemExit,
    ) as error:  # a chain of the user's own may fail in any way over a reply that says nothing
        fault = mentioned(f"{type(error).__name__}: {text_of(error)}")
        raise ConfigurationError(
            f"chain '{chain}' fails at item {item.id} ({fault}); a dry run answers every request with an empty reply: "
            "have the chain take one, or run it on a few items with --limit"
        ) from error


class _Requests(BaseCallbackHandler):
    """Keeps every request to a chat model, an agent makes several for an item; and the tools or schema beside it."""

    run_inline = True

    def __init__(self) -> None:
        self.requests: list[tuple[Message, ...]] = []
        self.added: list[str] = []

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        self.requests.append(sent_messages(messages[0]))
        parameters = kwargs.get("invocation_params") or {}
        self.added += [
            json.dumps(convert_to_openai_tool(tool), ensure_ascii=False) for tool in parameters.get("tools") or ()
        ]
        if schema := parameters.get("response_format"):
            self.added.append(json.dumps(schema, ensure_ascii=False))


def reach(suite: Suite, say: Language = ENGLISH) -> list[str]:
    """Say for each evaluation with several systems which differences between them so many items cannot show."""
    loaded = ((spec, load_evaluated(spec)) for spec in suite.evaluations)
    return reach_lines([(spec.benchmark, items[: spec.limit], len(spec.systems)) for spec, items in loaded], say)


def render(estimates: Sequence[Estimate], reach: Sequence[str] = ()) -> str:
    """Return the estimates as text: the first prompt whole, then the figures, then what they cannot show."""
    blocks = []
    for entry in estimates:
        prompt = "\n".join(f"[{message.role}]\n{message.content}" for message in entry.first)
        usd = (
            f"at most about ${entry.usd:.4f}"
            if entry.usd is not None
            else "unknown: the model is not in the price table"
        )
        blocks.append(
            f"{entry.system}: first prompt\n{prompt}\n\n{entry.system}: {entry.items} items, about "
            f"{entry.input_tokens:,} input tokens (counted by {entry.counted_by}) and at most "
            f"{entry.output_tokens:,} output tokens; cost {usd}"
        )
    blocks += reach
    blocks.append(f"prices of {price_table().as_of}; nothing was asked")
    return "\n\n".join(blocks)
