"""A model for names from a local folder, made here: it learns nothing, but says something of every word."""

from pathlib import Path

import pytest
from transformers import BertConfig, BertForTokenClassification, BertTokenizerFast

from candor.errors import ConfigError
from candor.governance.pii import Finder
from candor.text.ner import ner_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes every word for the name of a person."""
    place = tmp_path_factory.mktemp("ner")
    vocabulary = place / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "zorp", "met", "glim", "."]))
    BertTokenizerFast(str(vocabulary)).save_pretrained(place)
    labels = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-WEAPON"}
    config = BertConfig(
        vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        id2label=labels, label2id={name: number for number, name in labels.items()},
    )  # fmt: skip
    model = BertForTokenClassification(config)
    model.classifier.weight.data.zero_()
    model.classifier.bias.data[:] = 0
    model.classifier.bias.data[1] = 5
    model.save_pretrained(place)
    return place


def test_a_local_model_finds_more(folder: Path) -> None:
    find = ner_model(folder)
    spans = find("zorp met glim")
    assert {span.type for span in spans} == {"person"} and {span.rule for span in spans} == {"model"}
    assert (spans[0].start, spans[-1].end) == (0, 13)
    assert find("") == []
    assert Finder(model=find, threshold=0).mask("zorp").text == "<person>"


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no folder"):
        ner_model(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="holds no token-classification model"):
        ner_model(tmp_path)
