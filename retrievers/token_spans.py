"""Where a text's tokens are: what chunks are measured in.

In comes a tokenizer's name, out comes a function from texts to their tokens' offsets. Kiwi's morphemes are the default,
and not the embedding model's tokens: a chunk's id must not change with the model that embeds it, or retrievers could
not be compared over the same chunks; and they need no weights, for Kiwi is there for the sentences already. Whoever
has to fill a model's context to the brim names that model's tokenizer.
"""

from collections.abc import Callable, Sequence

from data.common.attributes import load_attribute
from data.common.errors import ConfigurationError, MissingResourceError, unknown_name
from retrievers.korean import morpheme_spans

Span = tuple[int, int]
FindSpans = Callable[[Sequence[str]], Sequence[Sequence[Span]]]  # of each text (start, end), in the order of the text


def find_tokens(tokenizer: str) -> FindSpans:
    """Return the function that finds texts' tokens.

    Args:
        tokenizer: "kiwi" (morphemes), "chars", "hf:NAME_OR_DIR" (a transformers tokenizer; its special tokens are not
            counted), or "module:attr", a function of your own.

    Raises:
        ConfigurationError: The name is unknown, or the tokenizer does not tell where its tokens are.
        MissingResourceError: The tokenizer is not there.
    """
    scheme, _, name = tokenizer.partition(":")
    if tokenizer == "kiwi":
        return morpheme_spans
    if tokenizer == "chars":
        return _characters
    if scheme == "hf" and name:
        return _of_transformers(name)
    if not name:
        raise unknown_name("tokenizer", tokenizer, ["kiwi", "chars", "hf:NAME_OR_DIR", "module:attr"])
    own = load_attribute(tokenizer, kind="tokenizer")
    if not callable(own):
        raise ConfigurationError(f"tokenizer '{tokenizer}' is no function from texts to lists of (start, end)")
    find: FindSpans = own
    return find


def _characters(texts: Sequence[str]) -> list[list[Span]]:
    return [[(place, place + 1) for place in range(len(text))] for text in texts]


def _of_transformers(name: str) -> FindSpans:
    from transformers import AutoTokenizer

    from retrievers.model_folder import TOKENIZER_FILES, model_folder

    folder = model_folder(name, kind="tokenizer", instead="'kiwi'", files=TOKENIZER_FILES)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise MissingResourceError(f"{folder} holds no tokenizer; name a model's folder, or use 'kiwi'") from error
    if not tokenizer.is_fast:
        raise ConfigurationError(f"tokenizer 'hf:{name}' does not tell where its tokens are; name one that is 'fast'")

    def find(texts: Sequence[str]) -> list[list[Span]]:
        if not texts:
            return []
        encoded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return [[(start, end) for start, end in spans] for spans in encoded["offset_mapping"]]

    return find
