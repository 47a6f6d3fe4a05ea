"""The remote engine against a scripted server that keeps to OpenAI's completions API, and against llama.cpp's own."""

import asyncio
import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from candor.errors import Overloaded, RequestError, Unreachable
from candor.infer import Completion, Engine, Piece, SamplingParams, StructuredOutput
from candor.infer.params import Chat
from candor.infer.remote import RemoteEngine
from candor.model.config import nano
from candor.model.gguf import write_gguf
from candor.model.hub import load_model
from candor.text import Tokenizer
from tests.model.test_gguf import LLAMACPP, folder_of


class Server(ThreadingHTTPServer):
    """Answers from `script`: each entry a status and a body, or a list of stream events."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.script: list[tuple[int, Any]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def engine(self, **options: Any) -> RemoteEngine:
        return RemoteEngine(f"http://127.0.0.1:{self.server_port}/v1", "m", **{"retries": 0, **options})


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        status, body = self.server.script.pop(0) if len(self.server.script) > 1 else self.server.script[0]
        self.send_response(status)
        self.send_header("content-type", "text/event-stream" if isinstance(body, list) else "application/json")
        self.end_headers()
        if isinstance(body, list):
            for event in body:
                self.wfile.write(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())
        else:
            self.wfile.write(json.dumps(body).encode())


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


def answer(*choices: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "c", "object": "text_completion", "created": 1, "model": "m",
        "choices": [{"index": index, "logprobs": None, "finish_reason": None, "text": "", **choice}
                    for index, choice in enumerate(choices)],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }  # fmt: skip


def test_ids_go_out_and_come_back(server: Server) -> None:
    logprobs = {"tokens": ["a", "b"], "token_logprobs": [-0.5, -1.5], "top_logprobs": [{}, {}], "text_offset": [0, 1]}
    server.script = [
        (200, answer(
            {"text": "ab", "finish_reason": "stop", "logprobs": logprobs, "token_ids": [7, 8]},
            {"text": "cd", "finish_reason": "length"},
        ))
    ]  # fmt: skip
    params = SamplingParams(n=2, temperature=0.5, seed=3, max_tokens=9, stop=("x",), top_k=4, logit_bias=((5, 1.0),),
                            structured_outputs=StructuredOutput(regex="[a-d]+"))  # fmt: skip
    first, second = server.engine(token_ids=True).generate([[0, 4, 9]], params)
    assert first == Completion(
        token_ids=(7, 8),
        text="ab",
        logprobs=(-0.5, -1.5),
        finish_reason="stop",
        index=0,
        prompt_tokens=5,
        completion_tokens=2,
    )
    assert second == Completion(token_ids=(), text="cd", logprobs=(), finish_reason="length", index=1, prompt_tokens=5)
    (asked,) = server.asked
    assert asked == {
        "model": "m", "prompt": [0, 4, 9], "max_tokens": 9, "temperature": 0.5, "top_p": 1.0, "n": 2, "seed": 3,
        "stop": ["x"], "logit_bias": {"5": 1.0}, "logprobs": 0, "top_k": 4, "return_token_ids": True,
        "structured_outputs": {"regex": "[a-d]+"},
    }  # fmt: skip


def test_plain_parameters_are_plain_openai(server: Server) -> None:
    """Nothing that OpenAI's own API would refuse."""
    server.script = [(200, answer({"text": "x", "finish_reason": "stop"}))]
    server.engine().generate(["Hello"], SamplingParams(max_tokens=3))
    assert server.asked[0].keys() == {"model", "prompt", "max_tokens", "temperature", "top_p", "n", "logprobs"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (429, {"error": {"message": "slow down"}}, Overloaded, "the server is busy"),
        (400, {"error": {"message": "too long"}}, RequestError, "the server refused: .*too long"),
        (401, {"error": {"message": "who"}}, Unreachable, "the server refused"),
        (500, {"error": {"message": "oops"}}, Unreachable, "the server refused"),
        (200, answer(), RequestError, "sent 0 answers instead of 1"),
    ],
)
def test_what_a_server_says_no_to(server: Server, status: int, body: Any, kind: type, says: str) -> None:
    """One prompt fails, the other is answered."""
    server.script = [(status, body), (200, answer({"text": "fine", "finish_reason": "stop"}))]
    bad, good = server.engine(concurrency=1).generate(["a", "b"], SamplingParams(max_tokens=2))
    assert bad.finish_reason == "error" and type(bad.error) is kind
    with pytest.raises(kind, match=says):
        raise bad.error or AssertionError
    assert good.text == "fine"


@pytest.mark.parametrize("body", ["<html>", {}, {"choices": None}, {"choices": [1]}])
def test_answers_that_are_none(server: Server, body: Any) -> None:
    server.script = [(200, body), (200, answer({"text": "fine", "finish_reason": "stop"}))]
    bad, good = server.engine(concurrency=1).generate(["a", "b"], SamplingParams(max_tokens=2))
    assert isinstance(bad.error, RequestError) and good.text == "fine"
    server.script = [(200, ["{not json"])]
    with pytest.raises(RequestError, match="has not the form"):
        asyncio.run(collect(server.engine()))


def test_an_empty_structure_is_sent_too(server: Server) -> None:
    server.script = [(200, answer({"text": "x", "finish_reason": "stop"}))]
    server.engine().generate(["a"], SamplingParams(structured_outputs=StructuredOutput(json={})))
    assert server.asked[0]["structured_outputs"] == {"json": {}}


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        engine = RemoteEngine(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "m", retries=0)
        (one,) = engine.generate(["a"])
        assert "cannot be reached" in str(one.error)
        with pytest.raises(RequestError, match="cannot be reached"):
            asyncio.run(collect(engine))


def test_a_busy_server_is_asked_again(server: Server) -> None:
    server.script = [(503, {"error": {}}), (200, answer({"text": "late", "finish_reason": "stop"}))]
    assert server.engine(retries=2).generate(["a"])[0].text == "late"


async def collect(engine: RemoteEngine, params: SamplingParams | None = None) -> list[Piece | Completion]:
    return [event async for event in engine.stream("a", params)]


def test_streams(server: Server) -> None:
    pieces = [
        answer({"text": "你", "token_ids": [4]}),
        answer({"text": "好", "token_ids": [5], "finish_reason": "stop"}),
    ]
    server.script = [(200, [*pieces, "[DONE]"])]
    *pieces_got, completion = asyncio.run(collect(server.engine(token_ids=True)))
    assert [piece.text for piece in pieces_got if isinstance(piece, Piece)] == ["你", "好"]
    assert isinstance(completion, Completion)
    assert (completion.text, completion.token_ids, completion.finish_reason) == ("你好", (4, 5), "stop")
    assert server.asked[0]["stream"] is True


def test_a_stream_that_breaks_off_is_an_error_not_an_answer(server: Server) -> None:
    server.script = [(200, [answer({"text": "hal"})])]
    with pytest.raises(RequestError, match="ended the stream before the answer was complete"):
        asyncio.run(collect(server.engine()))


def test_functions_cannot_be_sent(server: Server) -> None:
    (one,) = server.engine().generate(["a"], SamplingParams(logits_processors=(lambda _p, _a, logits: logits,)))
    assert "logits_processors are functions of this process" in str(one.error) and not server.asked


@pytest.mark.slow
def test_llama_cpps_server_gives_what_the_engine_gives(tmp_path: Path) -> None:
    """The same model behind another project's server: greedy text, by list and by stream."""
    ready = LLAMACPP.exists() and subprocess.run([LLAMACPP, "-c", "import llama_cpp.server.app"], capture_output=True)
    if not ready or ready.returncode:
        pytest.skip("llama.cpp's server is not installed; `make bench-install` installs it")
    folder = folder_of(nano(512), tmp_path / "model")
    write_gguf(folder, tmp_path / "m.gguf", "f32")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        LLAMACPP,
        "-m",
        "llama_cpp.server",
        "--model",
        tmp_path / "m.gguf",
        "--port",
        str(port),
        "--n_ctx",
        "256",
    ]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        remote = RemoteEngine(f"http://127.0.0.1:{port}/v1", "m", retries=0, concurrency=1)
        params = SamplingParams(temperature=0, max_tokens=20)
        tokenizer = Tokenizer.load(folder)
        with Engine(load_model(folder), tokenizer) as engine:
            (own,) = engine.generate([tokenizer.encode("the cat")], params)
        (theirs,) = remote.generate(["the cat"], params)  # it takes no ids, and puts no begin token before text
        assert theirs.error is None
        # Their server leaves out bytes that are no text, one token at a time.
        assert theirs.text[:20] == own.text.replace("\ufffd", "")[:20] and len(theirs.text) >= 20
        events = asyncio.run(collect(remote, params))
        assert isinstance(events[-1], Completion) and events[-1].finish_reason in ("stop", "length")
    finally:
        process.kill()
        process.wait()


def chat_answer(content: str, thought: str = "", reason: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **({"reasoning_content": thought} if thought else {})}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "finish_reason": reason, "message": message}]}  # fmt: skip


def test_a_chat_server_gets_a_message_and_its_reasoning_stands_in_the_text(server: Server) -> None:
    server.script = [(200, chat_answer("5", thought="2 + 3"))]
    (found,) = server.engine(chat=True).generate(["What is 2 + 3?"], SamplingParams(max_tokens=9))
    assert found.text == "<think>2 + 3</think>5"
    assert server.asked[0]["messages"] == [{"role": "user", "content": "What is 2 + 3?"}]
    (failed,) = server.engine(chat=True).generate([[1, 2]])
    assert "as text" in str(failed.error)


def test_a_conversation_goes_out_as_its_messages(server: Server) -> None:
    server.script = [(200, chat_answer("Bye."))]
    talk = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "x"},
    ]
    (found,) = server.engine(chat=True).generate([Chat(talk)])
    assert found.text == "Bye." and server.asked[0]["messages"] == talk and Chat(talk) == "x"
    (failed,) = server.engine().generate([Chat(talk)])
    assert "needs a chat server" in str(failed.error) and len(server.asked) == 1


def test_a_chat_stream_closes_the_reasoning_where_the_answer_begins(server: Server) -> None:
    def event(reason: str | None = None, **delta: str) -> dict[str, Any]:
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "finish_reason": reason, "delta": delta}]}  # fmt: skip

    server.script = [(200, [event(reasoning_content="2 "), event(reasoning_content="+ 3"), event(content="5"),
                            event(content=".", reason="stop"), "[DONE]"])]  # fmt: skip

    async def read() -> list[Piece | Completion]:
        return [event async for event in server.engine(chat=True).stream("?")]

    *pieces, whole = asyncio.run(read())
    assert isinstance(whole, Completion) and whole.text == "<think>2 + 3</think>5."
    assert "".join(piece.text for piece in pieces) == whole.text


def test_each_completion_is_told_as_it_comes_and_an_error_in_the_telling_ends_the_call(server: Server) -> None:
    server.script = [(200, answer({"text": "fine", "finish_reason": "stop"}))]
    told: dict[int, Completion] = {}
    found = server.engine().generate(["a", "b", "c"], done=told.__setitem__)
    assert [told[place] for place in range(3)] == found
    with pytest.raises(ZeroDivisionError):
        server.engine(concurrency=1).generate(["a", "b", "c"], done=lambda place, completion: 1 // 0)
    assert len(server.asked) < 3 + 3


def echoed(text: str, tokens: list[str], logprobs: list[float | None], tops: list[float]) -> dict[str, Any]:
    offsets = [sum(map(len, tokens[:number])) for number in range(len(tokens))]
    best = [None if value is None else {"x": top} for value, top in zip(logprobs, tops, strict=True)]
    detail = {"tokens": tokens, "token_logprobs": logprobs, "text_offset": offsets, "top_logprobs": best}
    return answer({"text": text, "finish_reason": "length", "logprobs": detail})


def test_the_likelihood_of_a_continuation_is_read_from_the_echo(server: Server) -> None:
    """Tokens of the context and the one generated token do not count; a token over the seam does."""
    script = echoed("The sky is blue!", ["The", " sky", " is", " bl", "ue", "!"], [None, -9, -1, -0.5, -0.25, -3],
                    [0, -1, -1, -0.5, -0.25, -1])  # fmt: skip
    server.script = [(200, script)]
    assert server.engine().likelihood("The sky is", " blue") == (-0.75, True)
    assert server.engine().likelihood("The sky i", "s blue") == (-1.75, True)
    script["choices"][0]["logprobs"]["top_logprobs"][4] = {"x": -0.1}
    assert server.engine().likelihood("The sky is", " blue") == (-0.75, False)
    assert server.asked[0]["echo"] is True and server.asked[0]["prompt"] == "The sky is blue"


def test_a_server_without_echo_is_told_apart(server: Server) -> None:
    server.script = [(200, answer({"text": "!", "finish_reason": "length"}))]
    with pytest.raises(Unreachable, match="no log-probabilities of a prompt"):
        server.engine().likelihood("The sky is", " blue")


def test_half_a_character_becomes_a_replacement(server: Server) -> None:
    """JSON can hold a lone surrogate, and nothing else can."""
    server.script = [(200, answer({"text": "\ud83d 5", "finish_reason": "stop"}))]
    (found,) = server.engine().generate(["a"])
    assert found.text == "? 5" and found.completion_tokens == 2


def test_an_interrupt_does_not_wait_for_slow_answers(server: Server) -> None:
    """One answer is told, and ends the call; the other would take half a minute."""
    started = time.monotonic()

    def slow(handler: Handler) -> None:
        handler.server.asked.append({})
        if len(handler.server.asked) > 1:
            time.sleep(30)
        body = json.dumps(answer({"text": "fine", "finish_reason": "stop"})).encode()
        handler.send_response(200)
        handler.send_header("content-type", "application/json")
        handler.end_headers()
        handler.wfile.write(body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handler, "do_POST", slow)

        def interrupt(place: int, completion: Completion) -> None:
            raise KeyboardInterrupt

        engine = server.engine(concurrency=2)
        with pytest.raises(KeyboardInterrupt):
            engine.generate(["a", "b"], done=interrupt)
    assert time.monotonic() - started < 10
