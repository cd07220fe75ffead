"""A chat model that runs in this process: composes, streams and traces like any other, and works in batches.

    model = LocalChatModel(model_ref="smollm2")
    model.batch([...])                      one padded batch after another, not one thread a prompt
    model.score(conversations, labels)      how likely each label is as the reply, with no generation

Closed-set questions need no generated text: `score` reads the likelihood of every label and returns a real
distribution. Of this folder, `weights` loads, `encoding` tokenizes, `scoring` and `generation` compute, and
`traces` tells LangChain's callbacks.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import run_in_executor
from pydantic import Field, PrivateAttr
from typing_extensions import override

from chains.local.encoding import ContextLengthError, LabelledPrompt, encode_labels, encode_prompt, render
from chains.local.generation import Decoding, Reply, generate_replies, stream_reply
from chains.local.likelihood import LabelScores, Likelihood, label_probs
from chains.local.memory import MemoryLimitError
from chains.local.scoring import score_labels
from chains.local.traces import trace_batch
from chains.local.weights import LoadedModel, load_model
from chains.models.families import Options
from data.common.errors import ProjectError

__all__ = ["ContextLengthError", "LabelScores", "LocalChatModel"]


class LocalChatModel(BaseChatModel):
    """A transformers chat model in this process, loaded when it is first used and shared by equal references.

    Attributes:
        model_ref: `smollm2`, a folder, or a hub id.
        revision: A hub branch, tag or commit.
        dtype: "auto" (bfloat16 where the hardware multiplies it natively, else float32) or a name.
        device: "auto" (CUDA, then MPS, then CPU) or a name.
        temperature: 0 decodes greedily.
        top_p: Sample from the likeliest tokens that hold this share of the probability; 1 from all.
        top_k: Sample from so many likeliest tokens; 0 from all.
        max_tokens: The most tokens of a reply.
        seed: The seed of the sampling; the same prompt gets the same reply, whatever is beside it in a batch.
        stop: Strings that end a reply, besides the model's own end of turn.
        max_batch_tokens: The most tokens of a forward pass, padding included. None for what fits into what
            is free at each call; either way, running out of memory halves it for the rest of the call.
        template_options: Further variables of the chat template, such as `{"enable_thinking": False}`.
    """

    model_ref: str
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    max_tokens: int = Field(default=256, gt=0)
    seed: int | None = None
    stop: tuple[str, ...] = ()
    max_batch_tokens: int | None = Field(default=None, gt=0)
    template_options: Options = Field(default_factory=dict)

    _loaded: LoadedModel | None = PrivateAttr(default=None)

    def load(self) -> LoadedModel:
        """Return the model's weights and tokenizer, reading them on the first call.

        Raises:
            MissingResourceError: There is no such model, or the hub cannot be reached.
            ConfigurationError: The dtype or device is unknown, or transformers cannot run such a model.
        """
        if self._loaded is None:
            self._loaded = load_model(self.model_ref, revision=self.revision, dtype=self.dtype, device=self.device)
        return self._loaded

    @override
    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Answer all inputs in padded batches; each is a run of its own in traces, as if it were invoked.

        Neither LangChain's cache nor its rate limiter is asked, and `max_concurrency` bounds nothing.

        Raises:
            ContextLengthError: An input is too long; with `return_exceptions`, it stands in its place instead.
            MemoryLimitError: An input and its reply do not fit into memory, even alone; likewise.
        """
        conversations = [self._convert_input(value).to_messages() for value in inputs]
        loaded, decoding = self.load(), self._decoding(stop, kwargs)

        def answer(prompts: list[list[int]]) -> list[tuple[AIMessage, AIMessage] | ProjectError]:
            replies = generate_replies(loaded, prompts, decoding=decoding, max_batch_tokens=self.max_batch_tokens)
            return [
                reply if isinstance(reply, ProjectError) else (self._message(reply, len(prompt)),) * 2
                for reply, prompt in zip(replies, prompts, strict=True)
            ]

        return trace_batch(
            self,
            conversations,
            config,
            encode=lambda row: encode_prompt(loaded, self._render(conversations[row])),
            compute=answer,
            params={"stop": stop, **kwargs},
            return_exceptions=return_exceptions,
        )

    @override
    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Answer all inputs as `batch` does, in a thread."""
        return await run_in_executor(None, self.batch, inputs, config, return_exceptions=return_exceptions, **kwargs)

    def score(
        self,
        conversations: Sequence[Sequence[BaseMessage]],
        labels: Sequence[Sequence[str]],
        *,
        opening: str = "",
        likelihood: Likelihood = "sum",
        config: RunnableConfig | list[RunnableConfig] | None = None,
        return_exceptions: bool = False,
    ) -> list[LabelScores]:
        """Return how likely each label is as the reply to each conversation, without generating text.

        What prompts share from their beginning (an instruction, an exam passage) is computed once. Each
        conversation is a run of its own in traces, which ends with the likeliest label.

        Args:
            conversations: n of them.
            labels: (n, any): for each conversation, the texts to compare, exactly as they would be written.
            opening: What the reply says before any label, and is no part of it.
            likelihood: What is compared of the labels: see `chains.local.likelihood`.
            config: One for all, or one for each.
            return_exceptions: Put a conversation's error in its place, so that it does not sink the others.

        Returns:
            n scores in the order given.

        Raises:
            ContextLengthError: A conversation with its longest label does not fit the model's context; with
                `return_exceptions`, it stands in its place instead.
            MemoryLimitError: A conversation does not fit into memory, even alone; likewise.
        """
        if len(conversations) != len(labels):
            raise ValueError(f"{len(conversations)} conversations, but labels for {len(labels)}")
        loaded = self.load()

        def encode(messages: Sequence[BaseMessage], options: Sequence[str]) -> LabelledPrompt:
            return encode_labels(loaded, self._render(messages) + opening, options)

        def compare(prompts: list[_Labelled]) -> list[tuple[LabelScores, AIMessage] | ProjectError]:
            label_sets = dict.fromkeys(prompt.labels for prompt in prompts) if likelihood == "pmi" else ()
            alone = {options: encode([HumanMessage("")], options) for options in label_sets}
            asked = [*(prompt.tokens for prompt in prompts), *alone.values()]
            rows = score_labels(loaded, asked, max_batch_tokens=self.max_batch_tokens)
            unconditional = dict(zip(alone, rows[len(prompts) :], strict=True))
            return [
                self._compared(prompt, row, likelihood, unconditional.get(prompt.labels))
                for prompt, row in zip(prompts, rows[: len(prompts)], strict=True)
            ]

        return trace_batch(
            self,
            conversations,
            config,
            encode=lambda row: _Labelled(encode(conversations[row], labels[row]), tuple(labels[row])),
            compute=compare,
            params={"stop": None, "method": "score"},
            return_exceptions=return_exceptions,
        )

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        loaded, decoding = self.load(), self._decoding(stop, kwargs)
        prompt = encode_prompt(loaded, self._render(messages))
        (reply,) = generate_replies(loaded, [prompt], decoding=decoding, max_batch_tokens=self.max_batch_tokens)
        if isinstance(reply, MemoryLimitError):
            raise reply
        return ChatResult(generations=[ChatGeneration(message=self._message(reply, len(prompt)))])

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        loaded, decoding = self.load(), self._decoding(stop, kwargs)
        prompt = encode_prompt(loaded, self._render(messages))
        said = 0
        for reply in stream_reply(loaded, prompt, decoding=decoding):
            text, said = reply.text[said:], len(reply.text)
            if reply.finish_reason is not None:
                end = self._message(reply, len(prompt))
                chunk = AIMessageChunk(
                    content=text,
                    usage_metadata=end.usage_metadata,
                    response_metadata=end.response_metadata,
                    chunk_position="last",
                )
                yield ChatGenerationChunk(message=chunk)
            elif text:
                yield ChatGenerationChunk(message=AIMessageChunk(content=text))

    def _render(self, messages: Sequence[BaseMessage]) -> str:
        return render(self.load(), messages, self.template_options)

    def _decoding(self, stop: Sequence[str] | None, options: Options) -> Decoding:
        own = {name: getattr(self, name) for name in ("temperature", "top_p", "top_k", "max_tokens", "seed")}
        if unknown := options.keys() - own.keys():
            raise ValueError(f"a local model takes no {', '.join(sorted(unknown))}; it takes {', '.join(own)}, stop")
        return Decoding(**(own | options), stop=(*self.stop, *(stop or ())))

    def _message(self, reply: Reply, input_tokens: int) -> AIMessage:
        return AIMessage(
            content=reply.text,
            usage_metadata=_usage(input_tokens, reply.n_tokens),
            response_metadata={"finish_reason": reply.finish_reason, "model_name": self.model_ref},
        )

    def _compared(
        self,
        prompt: "_Labelled",
        logprobs: tuple[float, ...] | ProjectError,
        likelihood: Likelihood,
        unconditional: tuple[float, ...] | ProjectError | None,
    ) -> tuple[LabelScores, AIMessage] | ProjectError:
        if isinstance(logprobs, ProjectError):
            return logprobs
        if isinstance(unconditional, ProjectError):
            return unconditional
        n_tokens = [len(ids) for ids in prompt.tokens.continuations]
        probs = label_probs(logprobs, likelihood, n_tokens=n_tokens, unconditional=unconditional)
        message = AIMessage(
            content=prompt.labels[max(range(len(probs)), key=probs.__getitem__)],
            usage_metadata=_usage(prompt.tokens.input_tokens, 0),
            response_metadata={
                "finish_reason": "stop",
                "model_name": self.model_ref,
                "label_logprobs": [list(pair) for pair in zip(prompt.labels, logprobs, strict=True)],
            },
        )
        return LabelScores(logprobs, probs, prompt.tokens.input_tokens), message

    @property
    def _llm_type(self) -> str:
        return "local"

    @property
    def _identifying_params(self) -> Options:
        return {
            name: getattr(self, name) for name in LocalChatModel.model_fields.keys() - BaseChatModel.model_fields.keys()
        }

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "local"
        params["ls_model_name"] = self.model_ref
        return params


class _Labelled(NamedTuple):
    tokens: LabelledPrompt
    labels: tuple[str, ...]


def _usage(input_tokens: int, output_tokens: int) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=input_tokens + output_tokens
    )
