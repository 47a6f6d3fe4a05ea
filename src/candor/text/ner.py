"""A model that names things in text, from a local folder, as one more finder of what describes a person."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from candor.errors import ConfigError
from candor.governance.pii.spans import Span, class_of

_TYPES = {
    "PER": "person", "PERSON": "person", "LOC": "location", "GPE": "location", "ADDRESS": "address",
    "ORG": "organisation", "ORGANIZATION": "organisation", "NORP": "attribute", "DATE": "date", "TIME": "date",
}  # fmt: skip


def ner_model(folder: str | Path) -> Callable[[str], list[Span]]:
    """What `Finder(model=...)` takes: a token-classification model of transformers, read from a folder and from nowhere
    else. Its labels may be plain or of the BIO kind; those that are not known are "other".

    Needs transformers; a folder that holds no such model is a ConfigError.
    """
    if not Path(folder).is_dir():
        raise ConfigError(f"{folder} is no folder; give that of a token-classification model in Hugging Face format")
    try:
        from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline
    except ImportError:
        raise ConfigError("a model for names needs transformers; pip install transformers") from None
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForTokenClassification.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder} holds no token-classification model ({str(error).splitlines()[0]})") from error
    tag: Any = pipeline(
        "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple", stride=16
    )

    def find(text: str) -> list[Span]:
        spans = []
        for one in tag(text) if text.strip() else ():
            label = str(one["entity_group"])
            kind = _TYPES.get(label.upper(), "other")
            spans.append(Span(int(one["start"]), int(one["end"]), kind, class_of(kind), "model"))
        return spans

    return find
