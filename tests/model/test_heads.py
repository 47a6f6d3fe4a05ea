"""The chunked head against torch's own cross-entropy over whole logits."""

import pytest
import torch
import torch.nn.functional as F

from candor.model import heads


@pytest.mark.parametrize("chunk", [7 * 50, 1 << 22])
def test_loss_and_gradients_equal_plain_cross_entropy(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "_CHUNK_LOGITS", chunk)  # 7 rows at a time, and all at once
    hidden = torch.randn(3, 11, 16, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(50, 16, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, 50, (3, 11))
    targets[0, :4] = heads.IGNORE
    loss, right = heads.cross_entropy(hidden, weight, targets)
    (loss * 0.3).backward()
    got = hidden.grad, weight.grad
    hidden.grad = weight.grad = None
    logits = hidden @ weight.T
    expected = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    (expected * 0.3).backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(got, (hidden.grad, weight.grad))
    assert right == ((logits.argmax(-1) == targets) & (targets != heads.IGNORE)).sum()


def test_all_positions_ignored_gives_zero_loss_and_gradient() -> None:
    hidden = torch.randn(5, 8, requires_grad=True)
    loss, right = heads.cross_entropy(hidden, torch.randn(20, 8), torch.full((5,), heads.IGNORE))
    loss.backward()
    assert loss == 0 and right == 0 and hidden.grad is not None and hidden.grad.abs().sum() == 0


def test_bfloat16_sums_in_float32() -> None:
    hidden, weight = torch.randn(64, 16).bfloat16(), torch.randn(100, 16).bfloat16()
    loss, _ = heads.cross_entropy(hidden, weight, torch.randint(0, 100, (64,)))
    assert loss.dtype == torch.float32
