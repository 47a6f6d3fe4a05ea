"""What is done to a model from outside, before it trains: compilation, recomputation, sharding, in this order."""

from candor.parallel.apply import compile_layers, recompute, shard

__all__ = ["compile_layers", "recompute", "shard"]
