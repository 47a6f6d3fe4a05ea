"""The `candor` command. Each command imports what it needs when it runs, so that --help answers at once."""

import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from candor.cli import audit, console, data, keys, label, privacy, review, train
from candor.cli.options import ModelFolder, Sets
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

Temperature = Annotated[float, typer.Option(help="0 takes the most likely token.")]
TopP = Annotated[float, typer.Option(help="Keep the most likely tokens up to this probability.")]
TopK = Annotated[int, typer.Option(help="Keep this many most likely tokens; 0 keeps all.")]
MaxTokens = Annotated[int, typer.Option(help="Most tokens to generate.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the sampling.")]
Stop = Annotated[list[str] | None, typer.Option(help="Text that ends the answer; repeat for more.")]
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
    if data is not None:  # in place of the first source, and whole
        sources = (SourceConfig(data), *config.corpus.sources[1:])
        config = replace(config, corpus=replace(config.corpus, sources=sources))
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

app.add_typer(train.app, name="train")


@app.command("eval")
def evaluate(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Model folder, a server's address ending in /v1, or a folder of results."),
    ] = "",
    tasks: Annotated[str, typer.Option(help="Tasks, by comma: NAME[:DIFFICULTY][:LANG]; --list shows all.")] = "",
    data: Annotated[
        list[str] | None, typer.Option(metavar="NAME=PATH", help="Where a real set is read; repeat.")
    ] = None,
    n: Annotated[int, typer.Option("-n", "--problems", help="Problems of each task; 0 takes all of a set.")] = 200,
    k: Annotated[int, typer.Option("-k", "--samples", help="Samples of each problem.")] = 1,
    form: Annotated[
        str, typer.Option("--format", help="plain, chat, r1_zero, or a text of your own that holds {prompt}.")
    ] = "plain",
    num_fewshot: Annotated[int, typer.Option(help="Worked examples before each question.")] = 0,
    fewshot_data: Annotated[str, typer.Option(help="Where the examples of a real set are read.")] = "",
    max_tokens: MaxTokens = 256,
    temperature: Temperature = 0.6,
    top_p: TopP = 0.95,
    stop: Stop = None,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
    problem_seed: Annotated[int, typer.Option(help="Seed of the problems; keep it to compare models.")] = 0,
    strict: Annotated[
        bool, typer.Option("--strict", help="Count an answer only in <answer>, \\boxed{} or behind ####.")
    ] = False,
    model_name: Annotated[str, typer.Option(help="What the server calls its model.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder of the results [runs/evals/MODEL].")] = None,
    baseline: Annotated[Path | None, typer.Option(help="Folder of earlier results to compare with.")] = None,
    list_all: Annotated[bool, typer.Option("--list", help="Show all tasks.")] = False,
) -> None:
    """Measure a model: scores with standard errors, every answer kept, a page to read.

    What was answered already is not asked again: the same command goes on after a stop. A server's key is taken from
    the environment variable CANDOR_API_KEY.

    \b
    candor eval runs/laptop/model --tasks arithmetic,countdown:2:zh -n 500 -k 4
    candor eval runs/laptop/model --tasks gsm8k --data gsm8k=test.jsonl --temperature 0
    candor eval http://localhost:8000/v1 --model-name r1 --tasks words:3 --format chat --max-tokens 4096
    candor eval runs/evals/new --baseline runs/evals/old
    """
    from candor.cli.evaluate import carry_out, list_tasks, show, tasks_from
    from candor.errors import ConfigError

    if list_all:
        list_tasks()
        return
    if not model:
        raise ConfigError("name a model: candor eval MODEL --tasks arithmetic; candor eval --list shows all tasks")
    if not tasks and Path(model).is_dir() and not (Path(model) / "config.json").exists():
        show(Path(model), baseline)
        return
    settings = {
        "n": n,
        "k": k,
        "format": form,
        "num_fewshot": num_fewshot,
        "fewshot_data": fewshot_data,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "stop": tuple(stop or ()),
        "seed": seed,
        "problem_seed": problem_seed,
        "strict": strict,
    }
    carry_out(model, model_name, tasks_from(tasks, data or [], **settings), out, baseline)


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
