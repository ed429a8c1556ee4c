"""Every error that a user can meet: a stable code, the cause with what was measured, and one remedy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ExitCode:
    """Process exit codes (sysexits values), so that schedulers decide without parsing text."""

    DONE = 0
    USAGE = 64
    REFUSED = 65
    MISSING_INPUT = 66
    MISSING_DEPENDENCY = 69
    INTERNAL = 70
    CANNOT_CREATE_OUTPUT = 73
    INPUT_OUTPUT = 74
    INTERRUPTED = 75
    LOCKED = 77
    CONFIGURATION = 78


class HoifieldError(Exception):
    """A failure that a user can act on.

    Subclasses fix `exit_code`; `code` is stable across releases (`HF-VID-003`), `cause` is one sentence with the number
    measured, `remedy` is one thing to try next.
    """

    exit_code: int = ExitCode.INTERNAL

    def __init__(self, code: str, cause: str, remedy: str) -> None:
        super().__init__(f"{code}: {cause}")
        self.code = code
        self.cause = cause
        self.remedy = remedy


class UsageError(HoifieldError):
    """The command line cannot be carried out as written."""

    exit_code = ExitCode.USAGE


class RefusedInput(HoifieldError):
    """The input was read and is not something to fit, or an artifact is damaged."""

    exit_code = ExitCode.REFUSED


class MissingInput(HoifieldError):
    """A file that was named, or is needed, is not there."""

    exit_code = ExitCode.MISSING_INPUT


class MissingDependency(HoifieldError):
    """A package or model file that this step needs is not installed."""

    exit_code = ExitCode.MISSING_DEPENDENCY


class InternalError(HoifieldError):
    """The program reached a state that it should not reach."""

    exit_code = ExitCode.INTERNAL


class CannotCreateOutput(HoifieldError):
    """The output folder cannot be created, or belongs to something else."""

    exit_code = ExitCode.CANNOT_CREATE_OUTPUT


class InputOutputFailure(HoifieldError):
    """Reading or writing failed part-way; the same command resumes."""

    exit_code = ExitCode.INPUT_OUTPUT


class Interrupted(HoifieldError):
    """A signal asked the run to stop; the same command resumes."""

    exit_code = ExitCode.INTERRUPTED


class Locked(HoifieldError):
    """Another process holds the run, or a permission is missing."""

    exit_code = ExitCode.LOCKED


class ConfigurationError(HoifieldError):
    """An option or a configuration file is wrong."""

    exit_code = ExitCode.CONFIGURATION
