"""What a hash decides, by hand."""

from candor.data.split import is_heldout, is_taken
from candor.records import Document


def test_the_rule_of_the_split() -> None:
    assert is_heldout("3" + "f" * 63, 0.25)
    assert not is_heldout("4" + "0" * 63, 0.25)
    assert is_heldout("0" * 64, 1e-300)
    assert not is_heldout("f" * 64, 0.999)


def test_a_share_of_a_source() -> None:
    """By hash: the same documents however many others there are, more of them with a larger share, none at one end."""
    documents = [Document(f"document {number}", "a", "b") for number in range(2000)]

    def taken(share: float) -> set[str]:
        return {one.id for one in documents if is_taken(one.id, share, 0.04)}

    some, more = taken(0.3), taken(0.6)
    assert abs(len(some) - 656) < 100 and abs(len(more) - 1232) < 110 and some < more and len(taken(1)) == 2000
    ids = [int(one, 16) / 16**64 for one in some]
    assert min(ids) < 0.01 and max(ids) > 0.99, "the split cuts by another hash"
    held = {one.id for one in documents if is_heldout(one.id, 0.04)}
    assert held and held < some, "what is measured on does not depend on how much is trained on"
