"""Chat models that make up for their family's quirks, whether they run here or behind a server.

    from chains import Qwen

    Qwen()                                     the family's default model, in this process
    Qwen("Qwen/Qwen3-0.6B")                    another size, or a folder
    Qwen("qwen3:8b", base_url="http://…/v1")   on an OpenAI-compatible server

What is said is adapted before the model (and its trace) sees it; thoughts are taken out of what it answers and
kept in `additional_kwargs["reasoning_content"]`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompt_values import ChatPromptValue, PromptValue
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import run_in_executor
from langchain_core.tools import BaseTool
from pydantic import PrivateAttr

from chains.local.likelihood import LabelScores, Likelihood
from chains.models.backends import Settings, Template, is_local, local_model, served_model, try_template
from chains.models.families import (
    CLOSE_TAG,
    FAMILIES,
    UNKNOWN,
    Family,
    Options,
    ThoughtStream,
    family_of,
    fold_system,
    split_thoughts,
)
from chains.models.request_fields import changed, fields_of
from data.common.errors import ConfigurationError

if TYPE_CHECKING:
    from chains.local.chat_model import LocalChatModel

REASONING = "reasoning_content"


class FamilyChatModel(BaseChatModel):
    """A chat model together with the row of FAMILIES that says how it wants to be asked and read.

    Args:
        model: A hub id ("ORG/NAME", "ORG/NAME@revision"), a folder, or with `base_url` the server's name for it;
            None for the family's default model.
        base_url: Address of an OpenAI-compatible server; None to run the model in this process.
        temperature: 0 decodes greedily; None decodes as the model's card recommends.
        max_tokens: Room for the answer, in tokens; None for the family's default. Thoughts come on top.
        thinking_tokens: Room for thoughts, in tokens; None for the family's default. A server that is given no
            room for thoughts is given no limit at all: its context is one.
        enable_thinking: False asks the model to answer at once, where the family has a switch for it.
        seed: The seed of the sampling.
        timeout: Seconds until a server must have answered; None: 60, or 600 if it thinks first.
        options: Fields of the model inside: `LocalChatModel` or LangChain's OpenAI chat model.

    Raises:
        ConfigurationError: The model is of another family, or a setting does not fit it.
        MissingResourceError: A local model cannot be had; raised when it is first used.
    """

    default: ClassVar[str] = ""

    inner: BaseChatModel
    family: Family

    _template: Template | None = PrivateAttr(default=None)

    def __init__(
        self,
        model: str | None = None,
        *,
        base_url: str | None = None,
        temperature: float | None = 0.0,
        max_tokens: int | None = None,
        thinking_tokens: int | None = None,
        enable_thinking: bool | None = None,
        seed: int | None = None,
        timeout: float | None = None,
        **options: Any,
    ) -> None:
        if "inner" not in options:  # it is there where LangChain makes a copy with other fields
            family = self._family_of(model)
            asked = Settings(temperature, max_tokens, thinking_tokens, enable_thinking, seed, timeout)
            if base_url is None:
                inner = local_model(model, family, asked, options)
            else:
                inner = served_model(model or family.hub_id, base_url, family, asked, options)
            # Callbacks, tags and the like are also the wrapper's: it is the one that is traced when it is invoked.
            shared = {name: value for name, value in options.items() if name in BaseChatModel.model_fields}
            options = {"inner": inner, "family": family, **shared}
        super().__init__(**options)

    @classmethod
    def _family_of(cls, model: str | None) -> Family:
        if not (model or cls.default):
            raise ValueError("name a model")
        family = family_of(model) if model else FAMILIES[cls.default]
        if cls.default and family is UNKNOWN:
            return FAMILIES[cls.default]
        if cls.default and family.wrapper != FAMILIES[cls.default].wrapper:
            raise ConfigurationError(
                f"'{model}' is of the family '{family.name}', not {cls.__name__}; use load_chat_model('hf:{model}')"
            )
        return family

    @property
    def _llm_type(self) -> str:
        return f"{self.family.name or 'unknown'}-family"

    @property
    def _identifying_params(self) -> Options:
        return {"family": self.family.name, **self.inner._identifying_params}

    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> Options:
        return changed(super()._get_invocation_params(stop, **kwargs), fields_of(self))

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self.inner._get_ls_params(stop=stop, **kwargs)

    def adapt(self, messages: Sequence[BaseMessage]) -> list[BaseMessage]:
        """Return the messages as the family takes them; adapting them again changes nothing."""
        folds = self.family.system_role == "fold" or not self.template().shows_system
        return fold_system(messages) if folds else list(messages)

    def template(self) -> Template:
        """Return what the model's chat template does, found out by trying; a server's is taken to do all."""
        if self._template is None:
            self._template = try_template(self.inner)
        return self._template

    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        # Here, and not only before the model inside is asked, so that the trace holds what was really sent.
        return ChatPromptValue(messages=self.adapt(super()._convert_input(model_input).to_messages()))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._read(self.inner._generate(self.adapt(messages), stop, run_manager, **kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._read(await self.inner._agenerate(self.adapt(messages), stop, run_manager, **kwargs))

    def _read(self, said: ChatResult) -> ChatResult:
        generations = [
            ChatGeneration(message=self._without_thoughts(one.message), generation_info=one.generation_info)
            for one in said.generations
        ]
        return ChatResult(generations=generations, llm_output=said.llm_output)

    def _without_thoughts(self, message: BaseMessage) -> BaseMessage:
        if not isinstance(message, AIMessage) or not isinstance(message.content, str):
            return message
        thoughts = split_thoughts(message.content, opened=self.template().opens_thoughts)
        if not thoughts.reasoning and thoughts.closed and thoughts.answer == message.content:
            return message
        # What the server took out itself comes first: it ended before this text began.
        reasoning = "\n\n".join(filter(None, (message.additional_kwargs.get(REASONING), thoughts.reasoning)))
        kept = {**message.additional_kwargs, REASONING: reasoning}
        return message.model_copy(update={"content": thoughts.answer, "additional_kwargs": kept})

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        # The model inside gets no run manager: it would announce the tokens as they were before they are told apart.
        split = ThoughtStream(opened=self.template().opens_thoughts)
        for chunk in self.inner._stream(self.adapt(messages), stop, **kwargs):
            content, last = chunk.message.content, getattr(chunk.message, "chunk_position", None) == "last"
            yield _piece(*split.feed(content, last=last), chunk) if isinstance(content, str) else chunk
        reasoning, answer = split.feed("", last=True)
        if reasoning or answer:
            yield _piece(reasoning, answer, ChatGenerationChunk(message=AIMessageChunk(content="")))

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Answer many conversations: together where the model runs here, in threads where a server does that."""
        if not is_local(self.inner):
            return super().batch(inputs, config, return_exceptions=return_exceptions, **kwargs)
        adapted: list[LanguageModelInput] = [self._convert_input(conversation) for conversation in inputs]
        replies = self.inner.batch(adapted, config, return_exceptions=return_exceptions, **kwargs)
        return [reply if isinstance(reply, Exception) else self._without_thoughts(reply) for reply in replies]  # type: ignore[misc]  # as in Runnable.batch

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage]:
        """Answer many conversations as `batch` does: together where the model runs here."""
        if not is_local(self.inner):
            return await super().abatch(inputs, config, return_exceptions=return_exceptions, **kwargs)
        return await run_in_executor(None, self.batch, inputs, config, return_exceptions=return_exceptions, **kwargs)

    def score(
        self,
        conversations: Sequence[Sequence[BaseMessage]],
        labels: Sequence[Sequence[str]],
        *,
        likelihood: Likelihood = "sum",
        config: RunnableConfig | list[RunnableConfig] | None = None,
        return_exceptions: bool = False,
    ) -> list[LabelScores]:
        """Return how likely each label is as the reply, with no thoughts before it.

        Where the template has no switch against thoughts, each label is scored behind an empty block of them.

        Args:
            conversations: n of them.
            labels: (n, any) for each conversation the texts to compare.
            likelihood: What is compared of the labels: see `chains.local.likelihood`.
            config: One for all, or one for each.
            return_exceptions: Put a conversation's error in its place, so that it does not sink the others.
        """
        quiet, opening = self.for_scoring()
        return quiet.score(
            [self.adapt(messages) for messages in conversations],
            labels,
            opening=opening,
            likelihood=likelihood,
            config=config,
            return_exceptions=return_exceptions,
        )

    def for_scoring(self) -> tuple["LocalChatModel", str]:
        """Return the model inside, told not to think, and what is written in front of each label that it scores."""
        if not is_local(self.inner):
            raise ValueError("only a model in this process scores labels; ask supports_scoring first")
        options = {**self.inner.template_options}
        if self.family.thinking_switch:
            options[self.family.thinking_switch] = False
        quiet = self.inner.model_copy(update={"template_options": options})
        return quiet, f"\n{CLOSE_TAG}\n\n" if try_template(quiet).opens_thoughts else ""

    def bind_tools(
        self, tools: Sequence[Options | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools to the model, if the model inside can use any."""
        return self.bind(**self.inner.bind_tools(tools, **kwargs).kwargs)  # type: ignore[attr-defined]  # a RunnableBinding


def _piece(reasoning: str, answer: str, chunk: ChatGenerationChunk) -> ChatGenerationChunk:
    thoughts = {REASONING: reasoning} if reasoning else {}
    kept = {**chunk.message.additional_kwargs, **thoughts}
    message = chunk.message.model_copy(update={"content": answer, "additional_kwargs": kept})
    return ChatGenerationChunk(message=message, generation_info=chunk.generation_info)


class Qwen(FamilyChatModel):
    """Qwen, by default Qwen3 8B: thinks before it answers, with a switch."""

    default = "qwen"


class Mistral(FamilyChatModel):
    """Mistral, by default 7B Instruct v0.3: has no system role of its own, and wants turns to alternate."""

    default = "mistral"


class SmallThinker(FamilyChatModel):
    """SmallThinker, by default the 3B preview: reasons at length before it answers."""

    default = "smallthinker"


WRAPPERS: dict[str, type[FamilyChatModel]] = {
    "": FamilyChatModel,
    **{wrapper.__name__: wrapper for wrapper in (Mistral, Qwen, SmallThinker)},
}
