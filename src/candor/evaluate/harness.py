"""lm-evaluation-harness, both ways: its runner on our models, its tasks in our evaluations.

    python -m candor.evaluate.harness run --model candor --model_args pretrained=runs/laptop/model --tasks gsm8k
    candor eval runs/laptop/model --tasks lm_eval:gsm8k
    candor eval runs/laptop/model --tasks lm_eval:toy --data lm_eval:toy=my_tasks/      # tasks of your own

The first is lm-eval's own command line with the model type `candor` added. A prompt is read behind the begin token, as
DeepSeek's models want it: to compare with its model type `hf`, give that one `add_bos_token=True`.
"""

import hashlib
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from candor import files
from candor.errors import ConfigError, DataError, RequestError
from candor.evaluate.answers import Answers
from candor.evaluate.likelihood import Likelihood, score
from candor.evaluate.result import EvalResult, Sample, evaluation_of, record
from candor.evaluate.statistics import Figure, share
from candor.evaluate.subject import Local, Subject
from candor.evaluate.task import LM_EVAL, Task, prompt_hash
from candor.infer import Completion, SamplingParams
from candor.infer.params import Prompt
from candor.problems import Grade
from candor.records import Progress, no_progress

os.environ.setdefault("TQDM_DISABLE", "1")  # its bars would stand between our lines

try:
    import lm_eval
    from lm_eval import utils
    from lm_eval.api.model import LM
    from lm_eval.api.registry import register_model
    from lm_eval.models.utils import normalize_gen_kwargs
    from lm_eval.tasks import TaskManager
except ImportError:
    raise ConfigError("tasks of lm-eval need an extra; run: pip install 'candor-lm[lm-eval]'") from None


@register_model("candor")
class CandorLM(LM):  # type: ignore[misc]
    """A Candor model as lm-eval asks for one: `pretrained` is a model folder, or a server's address with `model`."""

    def __init__(
        self,
        pretrained: str | Subject,
        model: str = "",
        batch_size: Any = None,
        max_batch_size: Any = None,
        device: str | None = None,
    ):
        """Open the model; the engine forms its own batches on the best device there is."""
        super().__init__()
        if isinstance(pretrained, str):
            from candor.evaluate.subject import open_subject

            self._context = open_subject(pretrained, name=model)
            pretrained = self._context.__enter__()
        self.subject: Subject = pretrained
        self.answers: Answers | None = None
        self.progress: Progress = no_progress
        self.refused: dict[int, str] = {}
        """Document -> why a request of it was refused."""
        self._chat = False

    @property
    def tokenizer_name(self) -> str:
        """Names the template in lm-eval's caches."""
        return self.subject.name

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The text of a chat; its control tokens count from then on."""
        self._chat = True
        return self._local().engine.tokenizer.render_chat(chat_history, add_generation_prompt=add_generation_prompt)

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """Text up to a stop text or the limit."""
        prompts: list[Prompt] = []
        params = []
        for number, (context, given) in enumerate(request.args for request in requests):
            wanted = normalize_gen_kwargs(given)
            digest = hashlib.sha256(f"{number}|{context}".encode()).digest()
            params.append(
                SamplingParams(
                    temperature=wanted.get("temperature", 0.0),
                    top_p=wanted.get("top_p") or 1.0,
                    top_k=wanted.get("top_k") or 0,
                    max_tokens=wanted["max_gen_toks"],
                    stop=tuple(stop for stop in wanted["until"] if stop),
                    seed=int.from_bytes(digest[:4], "big"),
                )
            )
            prompts.append(self._local().engine.tokenizer.encode_rendered(context) if self._chat else context)

        def ask(places: list[int], keep: Callable[[int, Any], None]) -> None:
            def done(at: int, completion: Completion) -> None:
                keep(places[at], completion.error or completion.text)

            self.subject.generate([prompts[place] for place in places], [params[place] for place in places], done)

        return self._ask("generate_until", requests, ask)

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Log-probability of a continuation behind a context."""

        def ask(places: list[int], keep: Callable[[int, Any], None]) -> None:
            def done(at: int, value: Likelihood) -> None:
                keep(places[at], value)

            self.subject.likelihood([requests[place].args for place in places], done)

        return [(value, greedy) for value, greedy in self._ask("loglikelihood", requests, ask)]

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """Log-probability of a whole text, in windows of the model's context that do not overlap."""
        engine = self._local().engine
        tokenizer, most = engine.tokenizer, engine.model.config.max_position_embeddings

        def ask(places: list[int], keep: Callable[[int, Any], None]) -> None:
            for place in places:
                ids = tokenizer.encode(requests[place].args[0])
                windows = utils.get_rolling_token_windows(ids, tokenizer.bos_id, most, 1)
                pairs = map(utils.make_disjoint_window, windows)
                rows = [([*before, *after], len(before)) for before, after in pairs]
                keep(place, math.fsum(value for value, _ in score(engine.model, rows)))

        return self._ask("loglikelihood_rolling", requests, ask)

    def _local(self) -> Local:
        if not isinstance(self.subject, Local):
            raise ConfigError("this task needs a model folder: a server tells neither chat template nor tokens")
        return self.subject

    def _ask(
        self, kind: str, requests: Sequence[Any], ask: Callable[[list[int], Callable[[int, Any], None]], None]
    ) -> Any:
        """Answers in order, the kept ones from the file."""
        answers = Answers(None, "", 0) if self.answers is None else self.answers
        first = answers.total
        answers.total += len(requests)
        digests = [prompt_hash([kind, *map(str, request.args)])[:16] for request in requests]

        def keep(place: int, value: Any) -> None:
            logprob = value[0] if isinstance(value, tuple) else value
            if isinstance(logprob, float) and not math.isfinite(logprob):
                value = RequestError(f"the log-probability is {logprob}")
            if isinstance(value, RequestError):
                answers.refuse(first + place, value)
            else:
                answers.add(first + place, {"request": digests[place], "value": value})
            self.progress(len(answers), answers.total, kind)

        ask([place - first for place in answers.missing if place >= first], keep)
        rows = answers.complete()[first:]
        if any(row.get("request", digest) != digest for row, digest in zip(rows, digests, strict=True)):
            raise ConfigError(
                f"{answers.path} holds answers to other prompts; choose another --out, or delete that file"
            )
        self.refused |= {
            request.doc_id: row["error"] for request, row in zip(requests, rows, strict=True) if row.get("error")
        }
        nothing: Any = {"generate_until": "", "loglikelihood": (-math.inf, False)}.get(kind, -math.inf)
        return [row.get("value", nothing) for row in rows]


def run_task(task: Task, subject: Subject, folder: Path | None, progress: Progress) -> tuple[EvalResult, list[Sample]]:
    """A task of lm-eval on `subject`: its prompts, filters and metrics, our answers, records and intervals.

    `task.data`: a folder with tasks of your own, which are then the only ones known. Temperature, stop texts and limits
    are the task's.
    """
    name, start = task.name.removeprefix(LM_EVAL), time.monotonic()
    try:
        manager = TaskManager(include_path=task.data or None, include_defaults=not task.data)
    except Exception as error:
        raise DataError(f"the tasks in {task.data} cannot be read ({error!r:.200}); check their YAML") from error
    if name not in manager.all_subtasks:
        raise ConfigError(
            f"lm-eval has no single task {name!r}{' in ' + task.data if task.data else ''}; check the name"
        )
    identity = evaluation_of(task, subject.fingerprint, f"lm-eval {lm_eval.__version__}")
    if task.k != 1 or task.strict:
        raise ConfigError(f"{task.name}: its samples and filters are the task's own; leave out --samples and --strict")
    lm = CandorLM(subject)
    lm.progress = progress
    lm.answers = Answers(folder and folder / f"{task.label}.requests.jsonl", identity, 0)
    try:
        report = lm_eval.simple_evaluate(
            model=lm,
            tasks=[name],
            task_manager=manager,
            limit=task.n or None,
            num_fewshot=task.num_fewshot or None,
            apply_chat_template=task.format == "chat",
            random_seed=task.seed,
            bootstrap_iters=1000,
        )
    finally:
        lm.answers.close()
    samples = _samples(report["samples"][name], lm.refused)
    if folder is not None:
        files.Lines(folder / f"{task.label}.samples.jsonl", map(vars, samples)).close()
    result = record(
        task,
        folder,
        start,
        samples,
        kind="lm_eval",
        version=f"{report['versions'].get(name)} of lm-eval {lm_eval.__version__}",
        model=subject.name,
        evaluation=identity,
        prompt_hash=prompt_hash([sample.prompt for sample in samples]),
        reused=lm.answers.reused,
        figures=_figures(report["results"][name], samples),
        problems=len(samples),
    )
    return result, samples


def _samples(logged: list[dict[str, Any]], refused: dict[int, str]) -> list[Sample]:
    """One for each document, with the scores of all filters; right where the first score is 1.

    lm-eval grades a refused request like an empty answer, which may even be right: here it scores nothing.
    """
    by_document: dict[int, Sample] = {}
    for one in logged:
        scores = {
            f"{metric},{one['filter']}": float(one[metric])
            for metric in one["metrics"]
            if isinstance(one[metric], int | float)
        }
        error = refused.get(one["doc_id"], "")
        if error:
            scores = dict.fromkeys(scores, 0.0)
        known = by_document.get(one["doc_id"])
        if known:
            known.scores.update(scores)
            continue
        responses = [str(response) for responses in one["resps"] for response in responses]
        by_document[one["doc_id"]] = Sample(
            problem=str(one["doc_hash"])[:16],
            index=0,
            prompt=str(one["arguments"][0][0]),
            gold=str(one["target"]),
            response="\n".join(responses),
            answer=str(one["filtered_resps"][0]),
            grade=Grade.INVALID if error else Grade.RIGHT if 1 in [*scores.values()][:1] else Grade.WRONG,
            finish_reason="error" if error else "stop",
            error=error,
            scores=scores,
        )
    return list(by_document.values())


def _figures(results: dict[str, Any], samples: list[Sample]) -> dict[str, Figure]:
    """Its figures; means of values between 0 and 1 get our interval beside its standard error."""
    figures = {}
    for name, value in results.items():
        metric, comma, chosen = name.partition(",")
        if not comma or metric.endswith("_stderr"):
            continue
        error = results.get(f"{metric}_stderr,{chosen}")
        error = float(error) if isinstance(error, int | float) else None
        values = [sample.scores.get(name, math.nan) for sample in samples]
        whole = any(sample.error for sample in samples) or math.isclose(math.fsum(values) / len(values), value)
        if all(0 <= one <= 1 for one in values) and whole:
            figures[name] = share(values)
        else:
            low, high = (None, None) if error is None else (value - 1.96 * error, value + 1.96 * error)
            figures[name] = Figure(float(value), error, low, high, len(samples))
    return figures


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()
