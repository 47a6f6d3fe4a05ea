"""A target that garak 0.16 reads, and its reports of two ages; formats after its source, written here."""

import json
from pathlib import Path
from typing import Any

import pytest

from candor.errors import ConfigError, DataError
from candor.evaluate.safety.garak import read_report, rest_target, write_target

SUPPORTED = {
    "api_key", "name", "uri", "key_env_var", "req_template", "req_template_json", "context_len", "max_tokens", "method",
    "headers", "response_json", "response_json_field", "req_template_json_object", "request_timeout",
    "ratelimit_codes", "skip_codes", "skip_seq_start", "skip_seq_end", "temperature", "top_k", "proxies", "verify_ssl",
    "client_cert", "client_key", "client_key_passphrase_env_var",
}  # fmt: skip
"""`RestGenerator._supported_params` of garak 0.16."""


def test_a_target_has_what_garak_knows_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDOR_API_KEY", "sk-secret")
    write_target(tmp_path / "target.json", "http://localhost:8000/v1/", "r1")
    text = (tmp_path / "target.json").read_text()
    generator = json.loads(text)["rest"]["RestGenerator"]
    assert set(generator) <= SUPPORTED and "sk-secret" not in text
    assert (
        generator["uri"] == "http://localhost:8000/v1/chat/completions" and generator["key_env_var"] == "CANDOR_API_KEY"
    )
    # As garak fills the template: the prompt escaped as JSON in the place of $INPUT.
    prompt = 'Say "x",\nthen y.'
    body = json.dumps(generator["req_template_json_object"]).replace("$INPUT", json.dumps(prompt)[1:-1])
    assert json.loads(body)["messages"] == [{"role": "user", "content": prompt}]


def test_without_a_key_none_is_asked_for() -> None:
    """garak refuses to start where `$KEY` stands in a header and the variable is not set."""
    generator = rest_target("http://localhost:8000/v1", "r1", key=False)["rest"]["RestGenerator"]
    assert "$KEY" not in json.dumps(generator) and "key_env_var" not in generator
    for url, name in (("runs/model", "r1"), ("http://localhost/v1", "")):
        with pytest.raises(ConfigError, match="ending in /v1"):
            rest_target(url, name)


def report(path: Path, *lines: Any) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


INIT = {"entry_type": "init", "garak_version": "0.16.1", "start_time": "2026-11-30T12:00:00", "run": "1a2b"}
ATTEMPT = {"entry_type": "attempt", "status": 2, "prompt": {"turns": [{"content": {"text": "nobody should see"}}]}}
NEW = {"entry_type": "eval", "probe": "dan.Dan_11_0", "detector": "dan.DAN", "passed": 7, "fails": 2, "nones": 1,
       "total_evaluated": 9, "total_processed": 10}  # fmt: skip
OLD = {"entry_type": "eval", "probe": "encoding.InjectROT13", "detector": "detector.encoding.DecodeMatch", "passed": 3,
       "total": 4}  # fmt: skip
END = {"entry_type": "completion", "end_time": "2026-11-30T12:10:00", "run": "1a2b"}


def test_reports_are_read_with_what_could_not_be_judged(tmp_path: Path) -> None:
    path = report(tmp_path / "garak.1a2b.report.jsonl", {"entry_type": "start_run setup"}, INIT, ATTEMPT, NEW, OLD, END)
    scan = read_report(path)
    assert (scan.version, scan.started, scan.complete, scan.broken) == ("0.16.1", "2026-11-30T12:00:00", True, ())
    new, old = scan.probes
    assert (new.probe, new.detector, new.passed, new.hits, new.invalid) == ("dan.Dan_11_0", "dan.DAN", 7, 2, 1)
    assert (new.figure.value, new.figure.n) == (0.7, 10), "what was not judged did not withstand"
    assert (old.detector, old.passed, old.hits, old.invalid, old.figure.value) == (
        "encoding.DecodeMatch",
        3,
        1,
        0,
        0.75,
    )
    assert "nobody should see" not in repr(scan)


def test_torn_reports_say_so(tmp_path: Path) -> None:
    wrong = [{**NEW, "passed": 11}, {**NEW, "fails": -1}, {**NEW, "probe": None}, {**OLD, "total": "4"}]
    path = report(tmp_path / "x.jsonl", INIT, NEW, *wrong, '{"entry_type": "ev')
    scan = read_report(path)
    assert len(scan.probes) == 1 and [row.number for row in scan.broken] == [3, 4, 5, 6, 7] and not scan.complete
    with pytest.raises(DataError, match="holds no eval entry"):
        read_report(report(tmp_path / "y.jsonl", INIT, ATTEMPT))
