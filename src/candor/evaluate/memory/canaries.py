"""Canaries: how much likelier a planted secret is than others of its kind (Carlini et al. 2019)."""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence

from candor.data.planted import Canary, canaries, canary_prompt, secrets
from candor.evaluate.memory.model import Audited
from candor.evaluate.memory.record import Audit, outcome_of
from candor.evaluate.statistics import Figure, difference, mean
from candor.problems import Lang

_NEVER = 32
"""Canaries that are in no text, for the control."""
_OTHER_SEED = 1_000_003


def exposure(rank: float, size: int) -> float:
    """log2 |R| - log2 rank of a secret among `size` candidates, itself among them; rank 1 is the likeliest,
    and of equal ones each has the middle rank."""
    return math.log2(size) - math.log2(rank)


def exposures(model: Audited, some: Sequence[Canary], alternatives: int, seed: int) -> list[float]:
    """The exposure of each canary among `alternatives` random secrets, in bits: at most log2(alternatives + 1)."""
    others = secrets(alternatives, seed + _OTHER_SEED)
    ranked: dict[Lang, list[float]] = {}
    found = []
    for lang in dict.fromkeys(one.lang for one in some):
        ranked[lang] = sorted(-value for value in _loglik(model, lang, others))
    own = {lang: iter(_loglik(model, lang, [one.secret for one in some if one.lang == lang])) for lang in ranked}
    for one in some:
        value = -next(own[one.lang])
        rank = 1 + (bisect_left(ranked[one.lang], value) + bisect_right(ranked[one.lang], value)) / 2
        found.append(exposure(rank, alternatives + 1))
    return found


def _loglik(model: Audited, lang: Lang, some: Sequence[str]) -> list[float]:
    head = canary_prompt(lang)
    read, *ids = model.tokenizer.encode_batch([head.rstrip(), *(head + secret for secret in some)])
    return model.loglik([([model.tokenizer.bos_id, *own], 1 + len(read)) for own in ids])


def canary_audit(
    model: Audited,
    copies: Sequence[int],
    counted: Counter[str],
    *,
    alternatives: int,
    threshold: float,
    control: Audited | None = None,
    seed: int = 0,
) -> Audit:
    """The audit `canaries`: mean exposure of those planted most often against that of some that never were.

    `counted` says how often each sentence really stands in the training text.
    """
    planted = canaries(copies)
    never = canaries((0,), each=_NEVER, seed=seed + 1)
    values = exposures(model, [*planted, *never], alternatives, seed)
    levels: dict[str, Figure] = {}
    for level in sorted(set(copies)):
        own = [value for value, one in zip(values, planted, strict=False) if one.copies == level]
        levels[f"{level} copies"] = mean(own)
    most = max(copies)
    chosen = [one for one in planted if one.copies == most]
    if control is None:
        shown = mean(values[len(planted) :])
        compared = f"{_NEVER} canaries that are in no text"
    else:
        shown = mean(exposures(control, chosen, alternatives, seed))
        compared = f"the model {control.name}, which never saw them"
    judged = difference(levels[f"{most} copies"], shown)
    real = [counted[one.sentence] for one in chosen]
    return Audit(
        name="canaries",
        asked=f"how likely {len(chosen)} random secrets, each planted {most} times, are among {alternatives:,} others; "
        "in bits of exposure",
        measured=levels[f"{most} copies"],
        control=shown,
        compared=compared,
        judged=judged,
        threshold=threshold,
        # Less than so many bits is no news where the text holds no copy.
        outcome=outcome_of(judged, threshold) if sum(real) else "not shown",
        limits=f"Exposure is measured up to {math.log2(alternatives + 1):.1f} bits of the {math.log2(10**9):.1f} that "
        "a secret has. What is planted more often, or in other words, may be remembered better.",
        parts=levels,
        counts={"in the training text, fewest": min(real), "in the training text, most": max(real)},
    )
