"""What several tests of labels use: a real provider code, cases by the number, texts of any kind."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from candor.governance.labels import Label, new_label

CODE = "001191110102MAD55U9H0F10002"
"""A code that stands in public files."""
OTHER = "001191110102MAD55U9H0F20001"
"""The same organisation as a propagation service."""
CASES = 10_000 if os.environ.get("CANDOR_SOAK") else 50

many = settings(
    max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff\u2028\u2029\u0085")
    | st.sampled_from("\n\t #-`*'\"<&"),
    max_size=2000,
)
allowed = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="\\"), min_size=1, max_size=80
)


def label_of(produce_id: str = "n1") -> Label:
    return new_label(CODE, produce_id=produce_id)
