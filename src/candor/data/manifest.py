"""The manifest of a corpus, from the figures that the tasks of its build have left."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from candor.config import to_dict
from candor.data.bias import Groups, summary
from candor.data.corpus import CorpusConfig
from candor.data.shown import together
from candor.data.sources import Unit

Figures = Sequence[dict[str, Any]]
"""What the tasks of a phase have counted, as JSON, one of each."""


class Done(NamedTuple):
    """What the phases of a build have left; all rows go by the place of their unit or shard."""

    units: Sequence[Unit]
    read: Figures
    written: Figures
    shards: Figures
    skipped: Sequence[str]
    """Files of kinds that are not read."""
    refused: frozenset[int]
    """Places of the sources that were refused whole."""
    lowest: str
    """Lowest hash of a document that stays."""
    highest: str


def manifest(config: CorpusConfig, done: Done, listed: dict[str, Any], inputs: Sequence[str]) -> dict[str, Any]:
    """What `manifest.json` holds; `listed` are the shards with their rows and checksums, `inputs` the fingerprints."""

    def total(rows: Sequence[dict[str, Any]], name: str) -> dict[str, int]:
        found: Counter[str] = Counter()
        for row in rows:
            found.update(row[name])
        return dict(sorted(found.items()))

    sources = []
    for number, source in enumerate(config.sources):
        own = [place for place, unit in enumerate(done.units) if unit.source == number]
        read, wrote = [done.read[place] for place in own], [done.written[place] for place in own]
        rejected = Counter(total(read, "reasons")) + Counter(total(wrote, "reasons"))
        if again := sum(shard["reasons_by_source"].get(source.path, 0) for shard in done.shards):
            rejected["copies.after_cut"] += again
        documents = sum(one["documents"] for one in read)
        sources.append(
            {
                "path": source.path,
                "kind": source.kind,
                "licence": source.licence,
                "address": source.address,
                "collected": source.collected,
                "model": source.model,
                "form": source.form,
                "steps": config.steps.of(source.kind).passed(source.form),
                "documents": documents,
                "kept": documents - sum(rejected.values()),
                "judged": sum(one["judged"] for one in read),
                "harmful": sum(one["harmful"] for one in read),
                "refused": number in done.refused,
                "rejected": dict(sorted(rejected.items())),
                "fingerprint": inputs[number],
            }
        )
    groups = Groups.read(config.steps.balance.groups)
    counts = {
        split: {
            what: sum(shard["counts"].get(split, {}).get(what, 0) for shard in done.shards)
            for what in ("documents", "bytes")
        }
        for split in ("train", "heldout")
    }
    technical = {what: sum(shard["technical"][what] for shard in done.shards) for what in ("checked", "passed")}
    return {
        "config": to_dict(config),
        "sources": sources,
        **counts,
        "rejects": {
            "documents": sum(one["rejected"] for one in (*done.written, *done.shards)),
            "bytes": sum(one["rejected_bytes"] for one in (*done.written, *done.shards)),
        },
        "rejected": total([{"all": one["rejected"]} for one in sources], "all"),
        "changes": total(done.written, "changes"),
        "bytes_by": {
            name: total([{"all": shard["bytes_by"][name]} for shard in done.shards], "all")
            for name in ("source", "licence", "kind", "lang")
        },
        "lengths": {"before": total(done.read, "lengths"), "after": total(done.written, "lengths")},
        "shown": together(one["shown"] for one in (*done.read, *done.written)),
        "technical": technical,
        "bias": {
            side: summary(groups, np.sum([one["spoken"] for one in rows], axis=0).tolist())
            for side, rows in (("before", done.read), ("after", done.shards))
        },
        "lowest": done.lowest,
        "highest": done.highest,
        "split_rule": f"held out where sha256(text) / 2^256 < {config.heldout_fraction}, and the lowest hash",
        "files_skipped_by_type": done.skipped,
        "documents_beyond_share": sum(one["beyond_share"] for one in done.read),
        "shards": listed,
    }
