"""What is refused, and that recomputation really drops what it names. The numbers are held in tests/golden."""

from typing import Any

import pytest
import torch

from candor.errors import ConfigError
from candor.model.transformer import DecoderLayer
from candor.parallel import compile_layers, recompute
from candor.stages.pretrain import pretrain_loss
from tests.train.conftest import tiny, windows


def kept(names: list[str]) -> int:
    """Bytes of the storages that a forward pass keeps for the backward pass, weights not counted."""
    model = tiny()
    recompute(model, names)
    weights = {tensor.untyped_storage().data_ptr() for tensor in model.state_dict().values()}
    storages: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        pretrain_loss(model, windows(8), mtp_weight=0.3, balance_weight=0.01)
    return sum(storages.values())


def test_what_is_recomputed_is_not_kept() -> None:
    everything, without_mlp, without_layers = kept([]), kept(["mlp"]), kept(["layer"])
    assert without_layers < without_mlp < everything
    assert without_layers < everything / 2


def test_an_unknown_part_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no part 'mpl'; there are: layer, .*self_attn.*mlp"):
        recompute(tiny(), ["mpl"])


def test_without_a_compiler_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ConfigError, match=r"install g\+\+ or clang\+\+, or set train.compile=false"):
        compile_layers(tiny())


def test_only_full_batches_run_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A growing batch and the rest of a cut one would each be compiled anew."""
    model, sizes = tiny(), []

    def fake(layer: DecoderLayer, **_: Any) -> None:
        def compiled(x: torch.Tensor, *rest: Any) -> Any:
            sizes.append(len(x))
            return layer._call_impl(x, *rest)

        layer._compiled_call_impl = compiled

    monkeypatch.setattr(DecoderLayer, "compile", fake)
    compile_layers(model, sequences=3)
    ids = torch.randint(0, model.config.vocab_size, (4, 10))
    whole = model.train_forward(ids).hidden
    assert not sizes
    torch.testing.assert_close(model.train_forward(ids[:3]).hidden, whole[:3])
    assert sizes == [3] * (model.config.num_hidden_layers + len(model.mtp))
