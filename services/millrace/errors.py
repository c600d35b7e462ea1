"""Every error that Millrace raises on purpose.

    MillraceError                 500  exit 1
    ├── BadInputError             422  exit 2   a value, a row, a file or a request is not acceptable
    │   ├── NotFoundError         404  exit 2   no such workload, model, version or file
    │   └── TooLargeError         413  exit 2   a body, a list or a text over its limit
    ├── UnauthorizedError         401  exit 2   an API key is missing or wrong
    ├── ConflictError             409  exit 3   somebody else changed it first, or the gate said no
    ├── CorruptError              500  exit 4   stored bytes are not what their manifest says
    └── UnavailableError          503  exit 5   broker, Connect, S3, catalog or model is unavailable
        └── BusyError             503  exit 5   too much of it is under way; a moment later it may be done

A message says what is wrong, with which value, what is allowed and what to do, in one or two sentences.
"""


class MillraceError(Exception):
    """An error with a sentence for people, a code for programs, an HTTP status and an exit code."""

    status = 500
    exit_code = 1
    code = "internal"
    retry_after: int | None = None
    """Seconds after which it is worth to try again."""

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None, allowed: str | None = None):
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.field = field
        self.allowed = allowed

    def as_dict(self) -> dict[str, str | None]:
        """The body under "error" that the API and `--json` share."""
        return {"code": self.code, "message": self.message, "field": self.field, "allowed": self.allowed}


class BadInputError(MillraceError):
    """A value, a row, a file or a request is not acceptable."""

    status, exit_code, code = 422, 2, "bad_input"


class NotFoundError(BadInputError):
    """There is no such workload, model, version or file."""

    status, code = 404, "not_found"


class TooLargeError(BadInputError):
    """A body, a list or a text is over its limit."""

    status, code = 413, "too_large"


class UnauthorizedError(MillraceError):
    """An API key is missing or wrong."""

    status, exit_code, code = 401, 2, "unauthorized"


class ConflictError(MillraceError):
    """Somebody else was first, or the gate refused."""

    status, exit_code, code = 409, 3, "conflict"


class CorruptError(MillraceError):
    """Stored bytes are not what their manifest says."""

    status, exit_code, code = 500, 4, "corrupt"


class UnavailableError(MillraceError):
    """Something that this depends on does not answer."""

    status, exit_code, code = 503, 5, "unavailable"


class BusyError(UnavailableError):
    """Too much of it is under way."""

    code, retry_after = "busy", 1
