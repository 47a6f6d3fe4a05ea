"""From sources to tokens: documents with provenance, a governed corpus in hash order, packed tokens, batches.

Batches are in `candor.data.loader`: they need torch, which those who build a corpus do without.
"""

from candor.data.build import build_corpus
from candor.data.corpus import CorpusConfig, read_corpus
from candor.data.pack import PackConfig, TokenIndex, pack
from candor.data.sources import SourceConfig, fingerprint, read_documents
from candor.data.split import held_out

__all__ = [
    "CorpusConfig",
    "PackConfig",
    "SourceConfig",
    "TokenIndex",
    "build_corpus",
    "fingerprint",
    "held_out",
    "pack",
    "read_corpus",
    "read_documents",
]
