"""From sources to tokens: documents with provenance, a corpus in hash order, packed tokens, batches."""

from candor.data.corpus import build_corpus, held_out, read_corpus
from candor.data.loader import Batch, TokenLoader
from candor.data.pack import PackConfig, TokenIndex, pack
from candor.data.sources import CorpusConfig, fingerprint, read_documents

__all__ = [
    "Batch",
    "CorpusConfig",
    "PackConfig",
    "TokenIndex",
    "TokenLoader",
    "build_corpus",
    "fingerprint",
    "held_out",
    "pack",
    "read_corpus",
    "read_documents",
]
