"""Who answers by language model: an item's input and a chat model come in.

Out goes a `Prediction`: what the model chose, what it said, and what that took.

    from chains import kice_rag, load_chat_model, Qwen, extract_choice

Names are loaded when they are first used, so that `import chains` is quick and brings no torch.
"""

from data.common.attributes import late_names

_HOMES = {
    "Extraction": "chains.reading.choices",
    "Mistral": "chains.models.wrappers",
    "Prompt": "chains.prompt_files",
    "Qwen": "chains.models.wrappers",
    "SmallThinker": "chains.models.wrappers",
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
__all__ = list(_HOMES)
__getattr__ = late_names(__name__, _HOMES)
