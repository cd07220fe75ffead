"""Who answers by language model: chains, models, prompts and the reading of replies.

    from chains import kice_rag, load_chat_model, Qwen, extract_choice

Names are loaded when they are first used, so that `import chains` is quick and brings no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chains.agent import kice_agent
    from chains.kice import kice_choices_only, kice_closed_book, kice_prompt, kice_rag, kice_shuffled
    from chains.mnli import mnli_zero_shot
    from chains.models.specs import Mistral, Qwen, SmallThinker, load_chat_model
    from chains.prompt_files import Prompt, load_prompt
    from chains.reading.choices import Extraction, extract_choice, extract_label

_HOMES = {
    "Extraction": "chains.reading.choices",
    "Mistral": "chains.models.specs",
    "Prompt": "chains.prompt_files",
    "Qwen": "chains.models.specs",
    "SmallThinker": "chains.models.specs",
    "extract_choice": "chains.reading.choices",
    "extract_label": "chains.reading.choices",
    "kice_agent": "chains.agent",
    "kice_choices_only": "chains.kice",
    "kice_closed_book": "chains.kice",
    "kice_prompt": "chains.kice",
    "kice_rag": "chains.kice",
    "kice_shuffled": "chains.kice",
    "load_chat_model": "chains.models.specs",
    "load_prompt": "chains.prompt_files",
    "mnli_zero_shot": "chains.mnli",
}

__all__ = [
    "Extraction",
    "Mistral",
    "Prompt",
    "Qwen",
    "SmallThinker",
    "extract_choice",
    "extract_label",
    "kice_agent",
    "kice_choices_only",
    "kice_closed_book",
    "kice_prompt",
    "kice_rag",
    "kice_shuffled",
    "load_chat_model",
    "load_prompt",
    "mnli_zero_shot",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'chains' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
