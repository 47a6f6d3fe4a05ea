"""The exceptions that Candor raises for a user's mistake or the machine's trouble.

    CandorError
    |- ConfigError      a value, a name or a combination that cannot work
    |- DataError        a source, a document or a corpus that cannot be read
    |- ModelError       a folder that is not a model, weights that do not fit
    |- CheckpointError  a checkpoint that is torn, corrupt or of another run
    |- RequestError     a request to an engine that cannot be served; the others go on
    |  |- Overloaded    the queue is full; the same request may work later
    |  |- Unreachable   the server is not there, not ours to use, or broken; no request would have been served
    |  `- EngineClosed  the engine was closed
    |- TrainingError    a run that must not go on (a loss that is not finite)
    |- StorageError     the disk is full, read-only, or held by another process
    |- KeysError        a key that is missing, wrong or destroyed, or text that its key does not open
    |- ReviewConflict   a review record that somebody else holds, or decided on before
    `- Interrupted      a signal asked to stop; what was done is saved

Each message is one line that says what is wrong, where, and how to mend it. `candor` prints it and exits with
`exit_code`; anything that is not a CandorError is a defect of ours and keeps its traceback.
"""


class CandorError(Exception):
    """Base of all errors meant for users."""

    exit_code = 1


class ConfigError(CandorError, ValueError):
    """A setting that cannot work; names the field, the value and what would work."""

    exit_code = 2


class DataError(CandorError):
    """A source or document that cannot be used; names the file and the place in it."""


class ModelError(CandorError):
    """A model folder that cannot be read or does not fit; names the file or tensor."""


class CheckpointError(CandorError):
    """A checkpoint that is damaged or belongs to another run; names the folder and the file."""


class RequestError(CandorError, ValueError):
    """One request that cannot be served: its prompt, its structure, or what became of it; others are not touched."""


class Overloaded(RequestError):
    """The queue is full; nothing is wrong with the request."""


class Unreachable(RequestError):
    """The server could not serve any request: down, a wrong address, model or key, an error of its own."""


class EngineClosed(RequestError):
    """The engine was closed; make another one."""

    def __str__(self) -> str:
        return "the engine is closed; make another one"


class TrainingError(CandorError):
    """Training stopped before the optimizer saw a bad value; names the step and the loss."""


class StorageError(CandorError):
    """The disk refused: full, read-only, no permission, or locked by another run."""


class KeysError(CandorError):
    """A key that is missing, wrong or destroyed, or a text that it does not open; names the key and its version."""


class ReviewConflict(CandorError):
    """The record is not in a state that allows the change: decided already, or leased by another; names both."""


class Interrupted(CandorError):
    """SIGTERM or Ctrl-C arrived; the state was saved and the same command goes on from it."""

    exit_code = 130
