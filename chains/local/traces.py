"""One traced run for each conversation of a batch that is computed as a whole.

LangChain's own `batch` traces because it invokes one by one; a model that computes a batch at once has to open and
close the runs itself, so that transcripts and LangSmith see the same as if each conversation had been invoked.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from langchain_core.callbacks import CallbackManager, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import get_config_list
from langchain_core.utils.utils import LC_ID_PREFIX

from chains.models.families import Options
from data.common.errors import ProjectError

Encoded = TypeVar("Encoded")
Output = TypeVar("Output")


def trace_batch(
    model: BaseChatModel,
    conversations: Sequence[Sequence[BaseMessage]],
    config: RunnableConfig | list[RunnableConfig] | None,
    *,
    encode: Callable[[int], Encoded],
    compute: Callable[[list[Encoded]], list[tuple[Output, AIMessage] | ProjectError]],
    params: Options,
    return_exceptions: bool,
) -> list[Any]:
    """Encode each conversation, compute all of them together, and report each as a chat model run of its own.

    Args:
        model: The model whose runs they are.
        conversations: n of them, as they were sent.
        config: One for all, or one for each.
        encode: Returns, for a conversation's index, what `compute` takes; its ProjectError or ValueError is that
            item's.
        compute: Returns, for what was encoded, what is returned, each with the message that ends its run; an error in
            the place of an item that fails alone.
        params: The call's parameters, for the trace; with "stop".
        return_exceptions: Return an item's error in its place instead of raising it.

    Returns:
        n outputs, or errors, in the order of the conversations.
    """
    if not conversations:
        return []
    configs = get_config_list(config, len(conversations))
    runs = [_start(model, *each, params) for each in zip(conversations, configs, strict=True)]
    try:
        encoded, refused = _encode_all(len(conversations), encode, return_exceptions=return_exceptions)
        computed = dict(zip(encoded, compute(list(encoded.values())), strict=True))
        refused |= {row: done for row, done in computed.items() if isinstance(done, ProjectError)}
        if refused and not return_exceptions:
            raise min(refused.items())[1]
    except BaseException as error:
        for run in runs:
            run.on_llm_error(error, response=LLMResult(generations=[]))
        raise
    outputs: dict[int, Any] = {}
    for row, refusal in refused.items():
        runs[row].on_llm_error(refusal, response=LLMResult(generations=[]))
        outputs[row] = refusal
    for row, done in computed.items():
        if isinstance(done, ProjectError):
            continue
        output, message = done
        message.id = f"{LC_ID_PREFIX}-{runs[row].run_id}-0"
        runs[row].on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]))
        outputs[row] = output
    return [outputs[row] for row in range(len(conversations))]


def _encode_all(
    n_rows: int, encode: Callable[[int], Encoded], *, return_exceptions: bool
) -> tuple[dict[int, Encoded], dict[int, ProjectError | ValueError]]:
    encoded: dict[int, Encoded] = {}
    refused: dict[int, ProjectError | ValueError] = {}
    for row in range(n_rows):
        try:
            encoded[row] = encode(row)
        except (ProjectError, ValueError) as error:
            if not return_exceptions:
                raise
            refused[row] = error
    return encoded, refused


def _start(
    model: BaseChatModel, messages: Sequence[BaseMessage], config: RunnableConfig, params: Options
) -> CallbackManagerForLLMRun:
    callbacks = CallbackManager.configure(
        config.get("callbacks"),
        model.callbacks,
        model.verbose,
        config.get("tags"),
        model.tags,
        {**(config.get("metadata") or {}), **model._get_ls_params_with_defaults(**params)},
        model.metadata,
    )
    (run,) = callbacks.on_chat_model_start(
        model._serialized,
        [list(messages)],
        invocation_params=model._get_invocation_params(**params),
        options={"stop": params["stop"]},
        name=config.get("run_name"),
        run_id=config.get("run_id"),
        batch_size=1,
    )
    return run
