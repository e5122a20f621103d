"""Every refusal, drawn as a tree. Errors take facts and make their own sentence.

RunsteadError
├── InvalidRequest            the client's mistake; the API's words
│   ├── NotFound
│   │   ├── NoFile
│   │   ├── NoVectorStore
│   │   └── NotInStore
│   ├── UnknownFile           a file or store id in a body that leads nowhere
│   ├── NotSearchable
│   ├── StoreFull
│   ├── ThreadHasActiveRun    two wordings of one lock
│   ├── ThreadLocked
│   ├── WrongStatus
│   │   ├── NotAwaitingOutputs
│   │   └── NotCancellable
│   ├── WrongOutputs
│   └── UnknownCursor
├── KeyUsed                   a request came twice; the other one had the effect
├── Stale                     a compare-and-set lost: read again and judge again
├── IllegalTransition         a bug, never a client's doing
├── ModelFailed               the model's server refused or broke; carries the run's last_error
├── ToolFailed                a built-in tool cannot work now; its sentence becomes the run's last_error
├── ExtractionFailed          a file that gives no text; carries the store file's last_error
├── EmbeddingFailed           no vectors could be had
├── ContentsMissing           a file whose contents are not within reach
└── Unavailable               the store cannot answer now
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from runstead.wire.runs import ErrorCode, RunStatus

LONGEST_SHOWN = 100
"""Characters of a client's own words that a refusal quotes."""


def shown(words: str) -> str:
    """A client's words as a refusal quotes them: a megabyte in the wrong place must not come back."""
    return words if len(words) <= LONGEST_SHOWN else f"{words[:LONGEST_SHOWN]}…"


class RunsteadError(Exception):
    """Everything this program refuses."""


class InvalidRequest(RunsteadError):
    """The client's mistake: a message in the API's words, the parameter at fault, a code."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


class NotFound(InvalidRequest):
    """No object of that kind bears that id."""

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"No {kind} found with id '{shown(id)}'.")


class NoFile(NotFound):
    """API: files have a sentence of their own, and a param."""

    def __init__(self, id: str) -> None:
        InvalidRequest.__init__(self, f"No such File object: {shown(id)}", param="id")


class NoVectorStore(NotFound):
    """API: stores have a sentence of their own."""

    def __init__(self, id: str) -> None:
        InvalidRequest.__init__(self, f"Vector store with id '{shown(id)}' not found.")


class NotInStore(NotFound):
    """The file may be there, and is not in that store."""

    def __init__(self, file_id: str, store_id: str) -> None:
        InvalidRequest.__init__(self, f"No file found with id '{shown(file_id)}' in vector store '{shown(store_id)}'.")


class UnknownFile(InvalidRequest):
    """A file or vector store named in a body does not exist."""

    def __init__(self, kind: str, id: str, param: str) -> None:
        super().__init__(f"No such {kind} object: {shown(id)}", param=param)


class NotSearchable(InvalidRequest):
    """A file was attached for file search alone, and its name says that there is no text in it."""

    def __init__(self, extension: str, formats: Iterable[str], param: str) -> None:
        super().__init__(
            f"Files with extensions [.{extension}] are not supported for retrieval. "
            f"Supported file types include: [{', '.join(f'.{each}' for each in formats)}]",
            param=param,
            code="unsupported_file",
        )


class StoreFull(InvalidRequest):
    """A vector store would hold more files than one may."""

    def __init__(self, id: str, most: int) -> None:
        super().__init__(
            f"Vector store '{shown(id)}' would hold too many files: at most {most} are accepted.",
            code="array_above_max_length",
        )


class WrongPrefix(InvalidRequest):
    """An id in a body that is no id of its kind. API: said before anybody looks for it."""

    def __init__(self, param: str, id: str, prefix: str) -> None:
        super().__init__(
            f"Invalid '{param}': '{shown(id)}'. Expected an ID that begins with '{prefix}'.",
            param=param,
            code="invalid_value",
        )


class ThreadHasActiveRun(InvalidRequest):
    """A second run was asked for. API: 400, because official clients retry a 409."""

    def __init__(self, thread_id: str, run_id: str) -> None:
        super().__init__(f"Thread {thread_id} already has an active run {run_id}.")


class ThreadLocked(InvalidRequest):
    """A message was sent while a run is active."""

    def __init__(self, thread_id: str, run_id: str) -> None:
        super().__init__(f"Can't add messages to {thread_id} while a run {run_id} is active.")


class WrongStatus(InvalidRequest):
    """The run's status does not allow what was asked. The sentence quotes it, so v1 needs it in its own words."""

    sentence: ClassVar[str]

    def __init__(self, status: RunStatus) -> None:
        super().__init__(self.sentence.format(status))
        self.status: RunStatus = status


class NotAwaitingOutputs(WrongStatus):
    """Outputs came for a run that does not wait for any."""

    sentence = 'Runs in status "{}" do not accept tool outputs.'


class NotCancellable(WrongStatus):
    """The run has ended, or is being cancelled already."""

    sentence = "Cannot cancel run with status '{}'."


class WrongOutputs(InvalidRequest):
    """Outputs came for other calls than the pending ones. API: lists in Python's style, no final dot."""

    def __init__(self, expected: Sequence[str], got: Sequence[str]) -> None:
        super().__init__(f"Expected tool outputs for call_ids {list(expected)}, got {[shown(id) for id in got[:128]]}")


class UnknownCursor(InvalidRequest):
    """`after` or `before` names nothing in this list."""

    def __init__(self, param: str, id: str) -> None:
        super().__init__(
            f"Invalid '{param}': no object with id '{shown(id)}' in this list.", param=param, code="invalid_value"
        )


class KeyUsed(RunsteadError):
    """The request's key has had its effect already."""


class Stale(RunsteadError):
    """Somebody wrote first; nothing of the change was written."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} has changed since it was read")


class IllegalTransition(RunsteadError):
    """A status that cannot follow another was asked for."""

    def __init__(self, status: str, signal: str) -> None:
        super().__init__(f"signal {signal!r} means nothing in status {status!r}")


class ModelFailed(RunsteadError):
    """The model gave no usable answer; `code` and `message` become the run's last_error."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message


class ExtractionFailed(RunsteadError):
    """A file gives no text; `code` and `message` become the last_error of the store's file."""

    def __init__(self, code: Literal["server_error", "unsupported_file", "invalid_file"], message: str) -> None:
        super().__init__(message)
        self.code: Literal["server_error", "unsupported_file", "invalid_file"] = code
        self.message = message


class EmbeddingFailed(RunsteadError):
    """A text could not be made into vectors; the sentence is for whoever runs the server."""


class ToolFailed(RunsteadError):
    """A built-in tool cannot do its work, whatever the model asks of it: the run ends with this sentence."""


class ContentsMissing(RunsteadError):
    """The file's row is here and its contents are not: most likely they lie on another node's disk."""

    def __init__(self, id: str) -> None:
        self.message = (
            f"The contents of {id} are not within this node's reach. Nodes that share a database have to share file "
            "contents too: set RUNSTEAD_BLOBS_URL to a bucket on all of them."
        )
        super().__init__(self.message)


class Unavailable(RunsteadError):
    """The store cannot answer at the moment; trying again later may help."""
