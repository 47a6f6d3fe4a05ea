"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Sets = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Override one setting; repeat.")]
ModelFolder = Annotated[Path, typer.Argument(help="Model folder in Hugging Face format.", metavar="MODEL")]
Out = Annotated[Path | None, typer.Option(help="Folder of the run [runs/..., named after the model].")]
