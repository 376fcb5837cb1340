"""Why a text is no rule that can be run. Each class is a status of an answer."""

from typing import ClassVar, Final, Literal, TypeAlias

from sigma_env.errors import SigmaEnvError
from sigma_env.sigma.rule import LogSource, Rule

FaultStatus: TypeAlias = Literal["no_rule", "bad_yaml", "invalid_rule", "too_complex", "unsupported"]


_LONGEST_MESSAGE: Final = 1000


def _printable(message: str) -> str:
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[: _LONGEST_MESSAGE - 1]}…"
    if message.isprintable():
        return message
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in message
    )


class RuleError(SigmaEnvError):
    """A text is no rule that can be run.

    `status` is the name of the reason; the message says where it is and how to mend it. It quotes
    the text, which may be hostile: it is one line, without control characters, of bounded length.
    """

    status: ClassVar[FaultStatus]

    def __init__(self, message: str) -> None:
        super().__init__(_printable(message))


class BadYaml(RuleError):
    """The text is not exactly one plain YAML mapping."""

    status = "bad_yaml"


class InvalidRule(RuleError):
    """The mapping is no valid Sigma rule."""

    status = "invalid_rule"


class TooComplex(RuleError):
    """The text or the rule passes one of the caps of `sigma_env.sigma.limits`."""

    status = "too_complex"


class UnsupportedRule(RuleError):
    """A valid rule uses a part of Sigma that is not served.

    Attributes:
        rule: What is served of the rule: aggregations dropped, unknown values replaced by any
            value, so that it selects at least the events of the rule. None for documents that have
            no condition over events (correlations, filters).
        logsource: The logsource of the document, as far as there is one.
    """

    status = "unsupported"

    def __init__(self, reason: str, rule: Rule | None = None, logsource: LogSource | None = None) -> None:
        super().__init__(reason)
        self.rule = rule
        self.logsource = logsource if rule is None else rule.logsource


class RulesNotFound(SigmaEnvError, FileNotFoundError):
    """A rule file or folder that was named does not exist."""
