"""The `candor` command. Each command imports what it needs when it runs, so that --help answers at once."""

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from candor.cli import audit, console, data, evaluations, keys, label, privacy, review, train
from candor.cli.options import MaxTokens, ModelFolder, Sets, Stop, Temperature, TopP
from candor.errors import CandorError
from candor.records import __version__

if TYPE_CHECKING:
    from candor.infer import SamplingParams

# Before torch is imported. OpenMP's threads spin at each barrier for milliseconds; beside any other busy process they
# take the cores from each other, and a step becomes twenty times slower. A short spin costs nothing (see LOG.md).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

app = typer.Typer(
    name="candor",
    help="Train, align, evaluate, release and serve a language model of the DeepSeek-V3 / R1 family.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

TopK = Annotated[int, typer.Option(help="Keep this many most likely tokens; 0 keeps all.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the sampling.")]
Regex = Annotated[str | None, typer.Option(help="Regular expression that the whole answer matches.")]
Schema = Annotated[Path | None, typer.Option("--json-schema", help="File with a JSON schema that the answer follows.")]
Speculate = Annotated[int, typer.Option(help="Tokens that the MTP module drafts ahead; 0 drafts none.")]


@app.command()
def run(
    recipe: Annotated[
        str,
        typer.Argument(help="laptop, smoke, one_gpu, r1_one_gpu, r1_zero_gsm8k, ... or a Python file with recipe()."),
    ],
    sets: Sets = None,
    data: Annotated[str | None, typer.Option(help="Your text: file, folder, JSONL, Parquet, hf:owner/name.")] = None,
    fields: Annotated[str | None, typer.Option(help="Fields of the rows to join, e.g. question,answer.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run [runs/RECIPE].")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print settings, sizes, memory and time; do nothing.")
    ] = False,
) -> None:
    """Carry out a recipe: from text to a trained, measured model, base or R1.

    What is already there and would come out the same is kept, so the same command goes on after a stop.

    \b
    candor run laptop
    candor run laptop --data novels.jsonl --fields text --out runs/novels
    candor run laptop --set pretrain.total_tokens=2e6 --set seed=1 --out runs/longer
    candor run laptop --set until=r1_zero --out runs/zero
    candor run v3_r1 --dry-run
    """
    from dataclasses import replace

    from candor.cli.run import carry_out, compare, show_plan
    from candor.config import override
    from candor.data import SourceConfig
    from candor.recipes import find_recipe
    from candor.stages.controls import Controls

    found = find_recipe(recipe)
    controls, config = (found, found.base) if isinstance(found, Controls) else (None, found)
    if data is not None:  # in place of the first source, and whole; nobody plants secrets in text of yours unasked
        sources = (SourceConfig(data), *config.corpus.sources[1:])
        corpus, audits = replace(config.corpus, sources=sources), replace(config.audits, plant=())
        config = replace(config, corpus=corpus, audits=audits)
    named = [] if fields is None else [f"corpus.sources.0.fields={fields}"]
    config = override(config, *named, *(sets or ()))
    folder = out or Path("runs") / (controls.name if controls else config.name)
    if dry_run:
        show_plan(config)
    elif controls:
        compare(replace(controls, base=config), folder)
    else:
        carry_out(config, folder)


@app.command()
def generate(
    model: ModelFolder,
    prompt: Annotated[str, typer.Argument(help="Text to continue; - reads standard input.")],
    max_tokens: MaxTokens = 128,
    temperature: Temperature = 1.0,
    top_p: TopP = 1.0,
    top_k: TopK = 0,
    seed: Seed = None,
    stop: Stop = None,
    regex: Regex = None,
    json_schema: Schema = None,
    speculate: Speculate = 0,
    watermark: Annotated[
        str | None, typer.Option(metavar="KEYS", help="Mark the text by a key of this ring (candor keys new).")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose key marks it.")] = "default",
) -> None:
    """Continue a text; it goes to standard output as it comes.

    \b
    candor generate runs/laptop/model "def main("
    candor generate runs/laptop/model "import os" --temperature 0 --max-tokens 40 --speculate 1
    candor generate runs/laptop/model "Answer: " --regex "(yes|no)"
    candor generate runs/laptop/model "Once" --max-tokens 400 --watermark watermark.json --tenant acme
    """
    from dataclasses import replace

    from candor.cli.talk import continue_text

    params = _params(temperature, top_p, top_k, max_tokens, seed, stop, regex, json_schema)
    if watermark is not None:
        params = replace(params, watermark=label.watermark_keys(watermark, tenant)[-1])
    continue_text(model, sys.stdin.read() if prompt == "-" else prompt, params, speculate)


@app.command()
def chat(
    model: ModelFolder,
    system: Annotated[str | None, typer.Option(help="System message.")] = None,
    max_tokens: MaxTokens = 512,
    temperature: Temperature = 0.6,
    top_p: TopP = 0.95,
    top_k: TopK = 0,
    seed: Seed = None,
    stop: Stop = None,
    speculate: Speculate = 0,
) -> None:
    """Talk to a model; an empty line or Ctrl-D ends.

    \b
    candor chat runs/laptop/model
    """
    from candor.cli.talk import converse

    converse(model, system, _params(temperature, top_p, top_k, max_tokens, seed, stop), speculate)


def _params(
    temperature: float,
    top_p: float,
    top_k: int,
    max_tokens: int,
    seed: int | None,
    stop: list[str] | None,
    regex: str | None = None,
    json_schema: Path | None = None,
) -> "SamplingParams":
    from candor import files
    from candor.infer import SamplingParams, StructuredOutput

    schema = None if json_schema is None else files.read_json(json_schema)
    structure = StructuredOutput(schema, regex) if regex is not None or schema is not None else None
    return SamplingParams(
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        max_tokens=max_tokens,
        seed=seed,
        stop=tuple(stop or ()),
        structured_outputs=structure,
    )


app.add_typer(data.app, name="data")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(label.app, name="label")
app.add_typer(privacy.app, name="privacy")
app.add_typer(review.app, name="review")
app.add_typer(evaluations.app, name="eval")

app.add_typer(train.app, name="train")


@app.command()
def init(
    recipe: Annotated[str, typer.Argument(help="Recipe to start from.")],
    path: Annotated[Path, typer.Argument(help="Python file to write.")] = Path("recipe.py"),
) -> None:
    """Write a recipe of your own to edit and run.

    \b
    candor init laptop my_recipe.py
    candor run my_recipe.py --dry-run
    """
    from candor.cli.run import write_recipe

    write_recipe(recipe, path)


@app.command()
def doctor() -> None:
    """Report versions, device, memory, and what is missing."""
    from candor.cli.doctor import examine

    examine()


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"candor {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of `candor` itself."""


def main() -> None:
    """Entry point: a CandorError is one line on standard error and its exit code."""
    warnings.showwarning = lambda message, *_args, **_kwargs: console.notice(f"warning: {message}")
    try:
        app()
    except CandorError as problem:
        console.error(str(problem))
        sys.exit(problem.exit_code)
    except MemoryError:
        console.error("out of memory; lower pretrain.micro_batch or the size of the model")
        sys.exit(1)
    except KeyboardInterrupt:
        console.error("interrupted")
        sys.exit(130)
    except BrokenPipeError:  # `candor ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
