"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Sets = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Override one setting; repeat.")]
ModelFolder = Annotated[Path, typer.Argument(help="Model folder in Hugging Face format.", metavar="MODEL")]
StoreUrl = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="CANDOR_STORE",
        help="The store: SQLite file, or postgresql://USER@HOST/NAME with PGPASSWORD set.",
    ),
]
KeysUrl = Annotated[
    str, typer.Option("--keys", envvar="CANDOR_KEYS", help="The database of wrapped keys, named as the store is.")
]
STORE, KEYS = "candor.db", "keys.db"
"""Their defaults."""
Out = Annotated[Path | None, typer.Option(help="Folder of the run [runs/..., named after the model].")]
Temperature = Annotated[float, typer.Option(help="0 takes the most likely token.")]
TopP = Annotated[float, typer.Option(help="Keep the most likely tokens up to this probability.")]
MaxTokens = Annotated[int, typer.Option(help="Most tokens to generate.")]
Stop = Annotated[list[str] | None, typer.Option(help="Text that ends the answer; repeat for more.")]
