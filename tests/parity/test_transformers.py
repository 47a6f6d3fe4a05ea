"""Our model against transformers' DeepseekV3ForCausalLM and its MTP model, from the same weights, both ways."""

import warnings
from pathlib import Path

import pytest
import torch
from transformers import DeepseekV3ForCausalLM
from transformers.modeling_layers import MtpModel

from candor.model import ModelConfig, Transformer, YarnConfig
from candor.model.hub import load_model, save_model

BASE = dict(  # noqa: C408
    vocab_size=211,
    hidden_size=48,
    num_hidden_layers=3,
    first_k_dense_replace=1,
    num_nextn_predict_layers=0,
    num_attention_heads=4,
    q_lora_rank=24,
    kv_lora_rank=20,
    qk_nope_head_dim=12,
    qk_rope_head_dim=8,
    v_head_dim=16,
    intermediate_size=64,
    moe_intermediate_size=24,
    n_routed_experts=8,
    num_experts_per_tok=3,
    n_group=4,
    topk_group=2,
    max_position_embeddings=256,
)
YARN = YarnConfig(factor=8.0, original_max_position_embeddings=32)
CASES: dict[str, dict[str, object]] = {
    "groups": {},
    "one-group": {"n_group": 1, "topk_group": 1},
    "no-q-lora": {"q_lora_rank": None},
    "yarn": {"rope_scaling": YARN},
    "yarn-no-q-lora-one-group": {"rope_scaling": YARN, "q_lora_rank": None, "n_group": 1, "topk_group": 1},
    "yarn-other-mscale": {"rope_scaling": YarnConfig(4.0, 64, 16.0, 2.0, mscale=0.7, mscale_all_dim=1.0)},
    "mtp": {"num_nextn_predict_layers": 1},
    "two-mtp-yarn": {"num_nextn_predict_layers": 2, "rope_scaling": YARN},
    "no-norm-two-shared": {"norm_topk_prob": False, "n_shared_experts": 2, "routed_scaling_factor": 1.0},
    "all-moe-theta": {"first_k_dense_replace": 0, "rope_theta": 50000.0, "v_head_dim": 10},
}


def make(case: str) -> Transformer:
    """A random model whose logits are of order 1 and whose gate biases are not zero."""
    torch.manual_seed(sorted(CASES).index(case))
    model = Transformer(ModelConfig(**(BASE | CASES[case])))  # type: ignore[arg-type]
    model.init_weights(0.15)
    for router in model.routers():
        router.e_score_correction_bias.normal_(0, 0.2)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 1.0, 0.2)
        assert parameter.isfinite().all(), name
    return model.eval()


def theirs(folder: Path) -> DeepseekV3ForCausalLM:
    """Read by transformers. It knows the MTP layer of a 61-layer model only, and warns about ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return DeepseekV3ForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(params=sorted(CASES))
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Transformer, DeepseekV3ForCausalLM]:
    model = make(request.param)
    save_model(model, tmp_path / "model")
    return model, theirs(tmp_path / "model")


def test_same_logits(pair: tuple[Transformer, DeepseekV3ForCausalLM]) -> None:
    model, reference = pair
    ids = torch.randint(0, 211, (2, 80))
    with torch.no_grad():
        expected = reference(ids).logits
        got = model(ids)
    assert 0.3 < expected.std() < 30
    assert (got - expected).abs().max() <= 1e-4


def test_same_logits_from_their_weights(
    pair: tuple[Transformer, DeepseekV3ForCausalLM], tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    """The other direction: transformers writes (without MTP, which it drops), Candor reads."""
    _, reference = pair
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter += torch.randn_like(parameter) * 0.02
    reference.save_pretrained(tmp_path / "theirs")
    model = load_model(tmp_path / "theirs")
    assert len([w for w in recwarn if "MTP" in str(w.message)]) == (reference.config.num_nextn_predict_layers > 0)
    ids = torch.randint(0, 211, (2, 80))
    with torch.no_grad():
        assert (model(ids) - reference(ids).logits).abs().max() <= 1e-4


def test_same_gradients(pair: tuple[Transformer, DeepseekV3ForCausalLM], tmp_path: Path) -> None:
    """Gradients of the next-token loss, compared under the names of the file format."""
    model, reference = pair
    ids = torch.randint(0, 211, (2, 40))
    reference(ids, labels=ids).loss.backward()
    loss = torch.nn.functional.cross_entropy(model(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    with torch.no_grad():
        for ours_or_theirs in (model, reference):
            for parameter in ours_or_theirs.parameters():
                parameter.copy_(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
    save_model(model, tmp_path / "gradients")
    expected, got = reference.state_dict(), theirs(tmp_path / "gradients").state_dict()
    for name in dict(reference.named_parameters()):
        difference = (got[name] - expected[name]).norm() / (expected[name].norm() + 1e-12)
        assert difference <= 1e-4, name


def test_same_greedy_continuation(pair: tuple[Transformer, DeepseekV3ForCausalLM]) -> None:
    """64 tokens: theirs with their cache, ours with the absorbed latent cache."""
    model, reference = pair
    prompt = torch.randint(2, 211, (1, 7))
    expected = reference.generate(prompt, max_new_tokens=64, do_sample=False, eos_token_id=None, pad_token_id=2)
    latents = torch.zeros(model.config.num_hidden_layers, 1, 128, model.config.latent_dim)
    ids = prompt
    with torch.no_grad():
        hidden = model.prefill(prompt, latents[:, :, :7])
        for _ in range(64):
            step = model.lm_head(hidden)[:, -1:].argmax(-1)
            hidden = model.extend(step, torch.tensor([ids.shape[1]]), latents)
            ids = torch.cat((ids, step), dim=1)
    assert ids.tolist() == expected.tolist()


@pytest.mark.parametrize("case", ["mtp", "two-mtp-yarn"])
def test_same_mtp(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden states of the MTP modules. transformers looks for them in layer 61 only, so that number is patched."""
    model = make(case)
    save_model(model, tmp_path / "model")
    modules = model.config.num_nextn_predict_layers
    pattern = "|".join(rf"(model\.layers\.{model.config.num_hidden_layers + k}\..*)" for k in range(modules))
    monkeypatch.setattr(DeepseekV3ForCausalLM, "_keys_to_ignore_on_load_unexpected", [pattern])
    reference = theirs(tmp_path / "model")
    mtp = MtpModel.from_pretrained(reference, dtype=torch.float32).eval()
    tokens = torch.randint(0, 211, (2, 30 + 1 + modules))
    with torch.no_grad():
        got = model.train_forward(tokens)
        state = reference.model(tokens[:, :30]).last_hidden_state
        positions = torch.arange(30)[None]
        for k in range(modules):
            state = mtp.forward_layer(k, state, positions, None, input_ids=tokens[:, k + 1 : k + 31])
            assert (got.mtp_hidden[k] - state).abs().max() <= 1e-4
