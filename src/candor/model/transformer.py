"""The DeepSeek-V3 transformer: single-device code that knows no ranks; what spreads it is applied from outside."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from candor.model.attention import LatentAttention, Positions
from candor.model.branches import Branches, Layout
from candor.model.config import ModelConfig
from candor.model.layers import FeedForward, Linear, RMSNorm
from candor.model.moe import MoE, Router, Routing
from candor.model.rope import rotations


class DecoderLayer(nn.Module):
    """Pre-norm attention and feed-forward, each added to the residual stream."""

    def __init__(self, config: ModelConfig, *, dense: bool):
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.self_attn = LatentAttention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.mlp = FeedForward(config.hidden_size, config.intermediate_size) if dense else MoE(config)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | Layout | None = None, latents: Tensor | None = None
    ) -> tuple[Tensor, Routing | None]:
        """[B, S, D] -> [B, S, D]; arguments as in `LatentAttention`."""
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask, latents)
        normed = self.post_attention_layernorm(x)
        out, routing = self.mlp(normed) if isinstance(self.mlp, MoE) else (self.mlp(normed), None)
        return x + out, routing

    def extend(self, x: Tensor, places: Positions, latents: Tensor) -> Tensor:
        """[B, S, D] -> [B, S, D] behind the cached tokens; arguments as in `LatentAttention`."""
        x = x + self.self_attn.extend(self.input_layernorm(x), places, latents)
        normed = self.post_attention_layernorm(x)
        return x + (self.mlp.infer(normed) if isinstance(self.mlp, MoE) else self.mlp(normed))


class NextTokenModule(nn.Module):
    """One multi-token-prediction module: joins a hidden state with the next token's embedding, then one MoE layer.

    Order and names are those of the released weights: eh_proj over [enorm(embedding); hnorm(hidden)], which the paper
    writes the other way round.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.enorm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.hnorm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.eh_proj = Linear(2 * config.hidden_size, config.hidden_size)
        self.layer = DecoderLayer(config, dense=False)
        self.norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def join(self, embedded: Tensor, hidden: Tensor) -> Tensor:
        """Embeddings of the next tokens and the hidden states before, both [B, S, D] -> the layer's input."""
        return self.eh_proj(torch.cat((self.enorm(embedded), self.hnorm(hidden)), dim=-1))

    def forward(
        self,
        embedded: Tensor,
        hidden: Tensor,
        cos: Tensor,
        sin: Tensor,
        mask: Tensor | None = None,
        latents: Tensor | None = None,
    ) -> tuple[Tensor, Routing | None]:
        """Embeddings of the next tokens and the hidden states before, both [B, S, D] -> normed hidden states."""
        out, routing = self.layer(self.join(embedded, hidden), cos, sin, mask, latents)
        return self.norm(out), routing


@dataclass(frozen=True)
class TrainForward:
    """Hidden states ready for the output head, and what the routers did."""

    hidden: Tensor
    """[B, S, D]: position i predicts token i + 1."""
    mtp_hidden: tuple[Tensor, ...]
    """Module k (from 1) gives [B, S, D]: position i predicts token i + 1 + k."""
    routing: Routing | None
    """None for a model without MoE layers."""


class Transformer(nn.Module):
    """A V3 model with its MTP modules. `Transformer(config)` allocates; `init_weights` fills."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.compute_dtype: torch.dtype | None = None
        """Type of the activations in training; None takes that of the weights."""
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            DecoderLayer(config, dense=index < config.first_k_dense_replace)
            for index in range(config.num_hidden_layers)
        )
        self.norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.lm_head = Linear(config.hidden_size, config.vocab_size)
        self.mtp = nn.ModuleList(NextTokenModule(config) for _ in range(config.num_nextn_predict_layers))

    @torch.no_grad()
    def init_weights(self, std: float, generator: torch.Generator | None = None) -> None:
        """Fill every matrix from N(0, std), every norm with one, every bias with zero (V3 section 4.2: std 0.006)."""
        for parameter in self.parameters():
            if parameter.ndim == 1:
                parameter.fill_(1.0)
            else:
                parameter.normal_(0.0, std, generator=generator)
        for router in self.routers():
            router.e_score_correction_bias.zero_()

    def routers(self) -> list[Router]:
        """The routers in the order of `Routing`'s rows."""
        return [module for module in self.modules() if isinstance(module, Router)]

    def hidden(self, input_ids: Tensor) -> Tensor:
        """Token ids [B, S] int64 -> states after the final norm [B, S, D]."""
        return self._main(input_ids, None, None)[0]

    def branched(self, input_ids: Tensor, branches: Branches) -> Tensor:
        """Token ids [N] int64 of trunks and branches -> states after the final norm [N, D]."""
        layout = Layout.of(branches, self.config.num_attention_heads, self.activation_dtype)
        return self._main(input_ids[None], layout, None)[0][0]

    def _main(
        self, input_ids: Tensor, mask: Tensor | Layout | None, latents: Tensor | None
    ) -> tuple[Tensor, list[Routing]]:
        """`hidden`, and what the routers did, layer by layer."""
        x = self._embed(input_ids)
        along = mask.positions if isinstance(mask, Layout) else torch.arange(input_ids.shape[1], device=x.device)
        cos, sin = rotations(self.config, along)
        routings: list[Routing] = []
        for index, layer in enumerate(self.layers):
            x, routing = layer(x, cos, sin, mask, None if latents is None else latents[index])
            routings += [routing] if routing else []
        return self.norm(x), routings

    @property
    def activation_dtype(self) -> torch.dtype:
        """Type that the layers compute in."""
        return self.compute_dtype or self.embed_tokens.weight.dtype

    def _embed(self, input_ids: Tensor) -> Tensor:
        return self.embed_tokens(input_ids).to(self.activation_dtype)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Token ids [B, S] int64 -> logits [B, S, vocab]."""
        return self.lm_head(self.hidden(input_ids))

    # Generation. `latents` [layers + MTP modules, B, T, R] is what is kept of the tokens of B sequences, R values a
    # token and layer. Token ids are int64; what stands behind a sequence's last token has no meaning.

    def prefill(self, input_ids: Tensor, latents: Tensor) -> Tensor:
        """First tokens [B, S] -> states after the final norm [B, S, D]; `latents`, with T = S, is filled."""
        return self._main(input_ids, None, latents)[0]

    def extend(self, input_ids: Tensor, lengths: Tensor, latents: Tensor) -> Tensor:
        """Tokens [B, S] behind the first `lengths` [B] int64 of each sequence -> states after the final norm [B, S, D].

        `latents` is read up to each token and written where the new ones stand.
        """
        x = self._embed(input_ids)
        places = Positions.behind(self.config, lengths, input_ids.shape[1], latents.shape[2], x.dtype)
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, DecoderLayer)
            x = layer.extend(x, places, latents[index])
        return self.norm(x)

    def draft(self, next_ids: Tensor, hidden: Tensor, latents: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The first MTP module over the states `hidden` [B, S, D] and the tokens `next_ids` [B, S] that follow each.

        Returns states [B, S, D] for the head: position i predicts the token after `next_ids[:, i]`. `lengths` as in
        `extend`; None for the first tokens, as in `prefill`.
        """
        module, embedded, kept = self.mtp[0], self._embed(next_ids), latents[self.config.num_hidden_layers]
        assert isinstance(module, NextTokenModule)
        if lengths is None:
            cos, sin = rotations(self.config, torch.arange(next_ids.shape[1], device=next_ids.device))
            return module(embedded, hidden, cos, sin, latents=kept)[0]
        places = Positions.behind(self.config, lengths, next_ids.shape[1], kept.shape[1], hidden.dtype)
        return module.norm(module.layer.extend(module.join(embedded, hidden), places, kept))

    def train_forward(self, tokens: Tensor, segments: Tensor | None = None) -> TrainForward:
        """Hidden states of the main model and of each MTP module over one window.

        `tokens` [B, S + 1 + modules] int64: S inputs and the tokens ahead that they predict. `segments`, of the same
        shape, numbers the documents; where given, no token attends to another document.
        """
        S = tokens.shape[1] - 1 - len(self.mtp)
        mask = None
        if segments is not None:
            inside = segments[:, :S, None] == segments[:, None, :S]
            mask = (inside & torch.ones(S, S, dtype=torch.bool, device=tokens.device).tril())[:, None]
        hidden, routings = self._main(tokens[:, :S], mask, None)
        cos, sin = rotations(self.config, torch.arange(S, device=tokens.device))
        mtp_hidden, state = [], hidden
        for depth, module in enumerate(self.mtp, start=1):
            state, routing = module(self._embed(tokens[:, depth : depth + S]), state, cos, sin, mask)
            mtp_hidden.append(state)
            routings += [routing] if routing else []
        return TrainForward(hidden, tuple(mtp_hidden), Routing.stack(routings) if routings else None)

    @torch.no_grad()
    def update_biases(self, load: Tensor, speed: float) -> None:
        """Auxiliary-loss-free balancing: lower the bias of overloaded experts by `speed`, raise the others.

        `load` [layers, experts] is the whole step's, summed over micro-batches and ranks (V3 section 2.1.2).
        """
        for router, counts in zip(self.routers(), load, strict=True):
            router.e_score_correction_bias += speed * (counts.sum() - counts * len(counts)).sign()
