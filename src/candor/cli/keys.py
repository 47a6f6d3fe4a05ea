"""`candor keys`: make key rings, rotate what they wrap, see how far that is."""

from pathlib import Path
from typing import Annotated

import typer

from candor.cli import console
from candor.cli.options import KEYS, KeysUrl

app = typer.Typer(
    help="Keys that encrypt what users write: make, rotate, count.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[
    str,
    typer.Option("--ring", help="service (the server), training (the de-identification worker), watermark, or label."),
]


@app.command()
def new(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Ring file, which its owner alone may read.")],
    ring: Name = "service",
) -> None:
    """Make a ring file; where it is there, add a new version, which becomes the current one. No version is lost.

    Keep a copy elsewhere than the databases: without the ring, nothing opens what it wraps.

    \b
    candor keys new service.json
    candor keys new training.json --ring training
    candor keys new watermark.json --ring watermark
    candor keys new label.json --ring label
    """
    from candor.store.rings import new_version

    made = new_version(path, ring)
    console.Terminal().say(f"{path} holds ring {made.name}; version {made.versions[-1]} is current")


@app.command()
def rotate(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Ring file, env:NAME or hook:PROGRAM.")],
    ring: Name = "service",
    keys: KeysUrl = KEYS,
) -> None:
    """Wrap all data keys of a ring under its current version. It may be stopped and run again, also twice at once.

    First add the version where the ring is kept (candor keys new), and restart all that use it; then rotate; then
    destroy the old version: what backups still hold of the old wraps opens nothing from then on.

    \b
    candor keys new service.json && candor keys rotate service.json
    candor keys rotate hook:/usr/local/bin/our-kms --ring training
    """
    from candor.errors import ConfigError
    from candor.governance.keys import LABEL, WATERMARK
    from candor.store.keystore import open_keys
    from candor.store.rings import load_ring

    if ring in (WATERMARK, LABEL):
        raise ConfigError(
            f"ring {ring} wraps nothing; a new version is all it needs: candor keys new FILE --ring {ring}"
        )
    loaded = load_ring(source, ring)
    with open_keys(keys, create=False, **{ring: loaded}) as opened:
        done = opened.rotate(ring)
    console.Terminal().say(f"wrapped {done} keys of ring {ring} anew; all are on version {loaded.versions[-1]}")


@app.command()
def status(keys: KeysUrl = KEYS) -> None:
    """Print how many data keys each version of each ring wraps; a version that wraps none may be destroyed.

    \b
    candor keys status --keys keys.db
    """
    from candor.store.keystore import open_keys

    with open_keys(keys, create=False) as opened:
        rows = [[f"  {ring}", f"version {version}", f"{count}"] for (ring, version), count in opened.status().items()]
    console.Terminal().table(rows or [["  no keys yet"]])
