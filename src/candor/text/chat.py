"""Messages to the text of a chat: checks, the Jinja templates, a shield against control tokens in what people write.

The templates are the ones that `tokenizer_config.json` ships, rendered with the settings of transformers
(`apply_chat_template`), so that every engine that reads the folder builds the same prompt.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

from candor.errors import ConfigError, DataError, ModelError

Message: TypeAlias = Mapping[str, Any]
"""One message in the form of the OpenAI API: `role`, `content`, and for tools `tool_calls`."""

ROLES = ("system", "user", "assistant", "tool")
TEMPLATES = ("v3", "r1")


@cache
def template(name: str) -> str:
    """Source of one of our own templates, `v3` or `r1`; ConfigError for another name."""
    if name not in TEMPLATES:
        raise ConfigError(f"there is no chat template {name!r}; choose one of {', '.join(TEMPLATES)}")
    source = Path(__file__).with_name("chat.jinja").read_text(encoding="utf-8")
    return source.replace("opens_with_thought = false", f"opens_with_thought = {str(name == 'r1').lower()}")


def check(messages: Any) -> None:
    """Raise DataError, naming the message, unless the templates can render `messages`."""
    if not isinstance(messages, Sequence) or isinstance(messages, str | bytes) or not messages:
        raise DataError('messages must be a list with at least one message, like [{"role": "user", "content": "Hi"}]')
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, Mapping):
            raise DataError(f'message {number} is {type(message).__name__}; write {{"role": ..., "content": ...}}')
        role, content, calls = message.get("role"), message.get("content"), message.get("tool_calls")
        if role not in ROLES:
            raise DataError(f"message {number} has the role {role!r}; choose one of {', '.join(ROLES)}")
        if calls and role != "assistant":
            raise DataError(f"message {number} of role {role} has tool_calls; only the assistant calls tools")
        if not isinstance(content, str) and not (content is None and calls):
            raise DataError(f"message {number} of role {role} has no text in 'content'; give a string")
        _check_calls(number, calls)


def _check_calls(number: int, calls: Any) -> None:
    try:
        for call in calls or ():
            function = call["function"]
            if not isinstance(call["type"], str) or not isinstance(function["name"], str):
                raise TypeError
            if not isinstance(function["arguments"], str):
                json.dumps(function["arguments"])
    except (TypeError, KeyError, ValueError):
        raise DataError(
            f"message {number} has a tool call of another form; write "
            '{"type": "function", "function": {"name": ..., "arguments": "{...}"}}'
        ) from None


def render(source: str, messages: Sequence[Message], **variables: Any) -> str:
    """Render a template with `messages` and `variables` (`bos_token`, `eos_token`, `add_generation_prompt`).

    The template may come from a hub: it runs in Jinja's sandbox, and whatever it raises is a ModelError.
    """
    try:
        return _compile(source).render(messages=[dict(message) for message in messages], **variables)
    except Exception as error:  # the template's own code failed, so any exception type is possible
        reason = " ".join(str(error).split())
        raise ModelError(f"the chat template fails on these messages ({reason}); use template='v3' or 'r1'") from error


@cache
def _compile(source: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = _tojson
    environment.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: datetime.now().strftime(form)}
    return environment.from_string(source)


def _tojson(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)  # Jinja's own would escape HTML


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)


def shield(messages: Sequence[Message], tokens: re.Pattern[str], thoughts: Sequence[str]) -> tuple[list[Message], str]:
    """Break every control token that stands inside a message, so that only the template's own remain whole.

    Returns the messages with a mark, a character that none of them holds, behind the first character of each match of
    `tokens`; the caller takes the mark out again after it has split the rendered text at the whole tokens. The
    assistant's `thoughts` (`<think>`, `</think>`) stay whole in its own content, where the template looks for them.
    """
    present = set(chain.from_iterable(_strings(messages)))
    private = chain(range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))
    mark = next((chr(code) for code in private if chr(code) not in present), None)
    if mark is None:
        raise DataError("the messages hold every private-use character of Unicode; remove some of them")

    def hide(value: Any, spare: Sequence[str] = ()) -> Any:
        if isinstance(value, str):
            return tokens.sub(lambda m: m[0] if m[0] in spare else m[0][0] + mark + m[0][1:], value)
        if isinstance(value, Mapping):
            return {hide(key): hide(item) for key, item in value.items()}
        return [hide(item) for item in value] if isinstance(value, list | tuple) else value

    shielded: list[Message] = [
        {**hide(message), "content": hide(message.get("content"), thoughts if message["role"] == "assistant" else ())}
        for message in messages
    ]
    return shielded, mark


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in chain(value.keys(), value.values()) for text in _strings(item)]
    return [text for item in value for text in _strings(item)] if isinstance(value, list | tuple) else []
