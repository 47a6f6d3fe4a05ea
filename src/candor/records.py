"""The nouns that cross module boundaries: frozen records, never dictionaries with string keys."""

import dataclasses
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from candor import files
from candor.errors import DataError

__version__ = "0.1.0"


Kind = Literal["public", "licensed", "user-derived", "synthetic"]
"""How a text came to be ours to use."""


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    """One text, where it came from, and what was done to it.

    >>> Document("def f(): ...", source="python-docs", origin="Lib/this.py", licence="PSF-2.0")
    """

    text: str
    """The text itself, valid Unicode."""
    source: str
    """The source as the user named it: `python-docs`, a path, a hub name."""
    origin: str
    """Where in the source: a relative path, `file.jsonl:12`, a row number."""
    licence: str = "unknown"
    """SPDX identifier, or `unknown`."""
    kind: Kind = "public"
    """How the text came to be ours to use."""
    address: str = ""
    """Where the source was found: a URL, a data set and its organisation, a service; "" where it is not known."""
    collected: str = ""
    """When it was collected, ISO 8601."""
    model: str = ""
    """Of synthetic text: the model or program that made it, its version and the time."""
    lang: str = ""
    """ISO 639-1 code of its language; "" where it was not asked."""
    steps: str = ""
    """The steps that it passed, with their versions: `encoding/1 normalise/1 quality/1`."""
    changes: str = ""
    """What they changed, and how often or by how many characters: `breaks 3, private 1, passages 412`."""

    @property
    def id(self) -> str:
        """SHA-256 of the UTF-8 text, hex: the same text has the same id everywhere."""
        return hashlib.sha256(self.text.encode()).hexdigest()


Progress = Callable[[int, int, str], None]
"""`progress(done, total, note)`: how long work tells how far it is."""


def no_progress(done: int, total: int, note: str) -> None:
    """Where nobody watches."""


@cache
def code_version() -> str:
    """The package version and a hash of its sources, `0.1.0+3f2a91c04d7e`: what exactly made a folder."""
    root, digest = Path(__file__).parent, hashlib.sha256()
    for file in sorted(root.rglob("*")):
        if file.suffix in (".py", ".jinja", ".md", ".cpp", ".json", ".npz", ".ttf"):
            digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"


@dataclasses.dataclass(frozen=True, slots=True)
class Provenance:
    """What made a folder, from which inputs, with which settings: the folder's `provenance.json`.

    >>> Provenance(stage="tokens", inputs={"corpus": "5a1c..."}, config={"fim_rate": 0.1}, seed=0, outputs={})
    """

    stage: str
    """Name of the stage that wrote the folder."""
    inputs: dict[str, str]
    """Input name -> `digest` of that input's own provenance (or SHA-256 of a plain file)."""
    config: dict[str, Any]
    """The resolved settings of the stage."""
    seed: int | None
    """Seed, where the stage draws anything."""
    outputs: dict[str, str]
    """Relative path -> SHA-256 of every file of the folder."""
    code: str = dataclasses.field(default_factory=code_version)
    """`code_version()` of the writer."""
    time: str = dataclasses.field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    """When the folder was finished, UTC, ISO 8601."""

    FILE: ClassVar[str] = "provenance.json"

    @property
    def digest(self) -> str:
        """Hash of the outputs alone: folders with the same bytes are the same input to what follows."""
        text = "\n".join(f"{name} {value}" for name, value in sorted(self.outputs.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def made_by(self, stage: str, inputs: dict[str, str], config: dict[str, Any], seed: int | None) -> bool:
        """True where this folder is what the given stage would make again."""
        return (self.stage, self.inputs, self.config, self.seed) == (stage, inputs, config, seed)

    def write(self, folder: Path) -> None:
        """Write `provenance.json` into `folder`."""
        files.write_json(folder / self.FILE, dataclasses.asdict(self))

    @classmethod
    def read(cls, folder: Path) -> "Provenance":
        """Read the record of `folder`; DataError where it is missing or of another form."""
        value = files.read_json(folder / cls.FILE)
        try:
            return cls(**value)
        except TypeError:
            raise DataError(f"{folder / cls.FILE} has another form; delete {folder} and run again") from None

    def verify(self, folder: Path) -> None:
        """Compare every recorded file with the disk; DataError names the first that is missing or changed."""
        if trouble := files.damage(folder, self.outputs):
            raise DataError(f"{folder} is damaged: {trouble}; delete it and run again")
