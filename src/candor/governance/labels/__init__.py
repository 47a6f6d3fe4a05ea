"""Labels of machine-made content: write, read and verify them in text, documents, pictures and streams.

    label = new_label("001191110102MAD55U9H0F10002")
    write(Path("report.docx"), label)
    verify(Path("report.docx")).status

There is no function that takes a label away: the Measures for Labelling (2025), Art. 10, forbid both that and tools
for it.
"""

from candor.governance.labels.explicit import CHAT, Notice, Style, notice
from candor.governance.labels.file import CARRIERS, Written, carrier_of, read, verify, write
from candor.governance.labels.record import Label, Problem, new_label, spread
from candor.governance.labels.relabel import Relabelled, relabel
from candor.governance.labels.signing import SigningKeys, public_keys, signing_keys
from candor.governance.labels.verdict import EXIT, Standard, Status, Verdict, worst

__all__ = [
    "CARRIERS",
    "CHAT",
    "EXIT",
    "Label",
    "Notice",
    "Problem",
    "Relabelled",
    "SigningKeys",
    "Standard",
    "Status",
    "Style",
    "Verdict",
    "Written",
    "carrier_of",
    "new_label",
    "notice",
    "public_keys",
    "read",
    "relabel",
    "signing_keys",
    "spread",
    "verify",
    "worst",
    "write",
]
