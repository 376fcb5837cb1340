"""The prompt of a task. No other place renders one, so that every trainer, benchmark and env asks the same."""

from collections.abc import Sequence
from typing import Final, TypedDict

from sigma_env.sigma.answer import ABSTENTION
from sigma_env.tasks.task import Task


class Message(TypedDict):
    """One message of a chat, in the form that chat templates and model APIs take."""

    role: str
    content: str


# The example is about events that no task asks for, so that an answer which copies it earns nothing for it.
SYSTEM_PROMPT: Final = """\
You are a detection engineer. The user describes behaviour on Windows hosts; write the Sigma rule that detects it in \
Windows event logs.

Answer with one YAML document in a ```yaml block. It has two keys, `logsource` and `detection`; other keys are \
ignored. For instance:

```yaml
logsource:
  product: windows
  category: clipboard_capture
detection:
  selection:
    Image|endswith:
      - '\\first.exe'
      - '\\second.exe'
    User|contains: contractor
  filter:
    ClientInfo|startswith: 'user: EXAMPLE'
  condition: selection and not filter
```

Your rule is run on event logs and scored by how exactly it matches the events that are asked for, no fewer and no \
more, and by its logsource.

- `logsource`: categories and services of Sigma's Windows taxonomy. `process_creation` is Sysmon 1 and Security 4688.
- Fields are those of the events, as Sigma names them; field names are case-sensitive.
- Values match without case and as a whole; `*` and `?` are wildcards, `\\` escapes them. A list is OR. `null` is an \
absent field.
- Modifiers: contains, startswith, endswith, all, cased, exists, windash, re (with i, m, s), cidr, base64, \
base64offset, utf16, utf16le, utf16be, wide, gt, gte, lt, lte, neq, fieldref. A regular expression is searched in the \
value with its case and has no look-around and no back-references.
- `condition`: and, or, not, parentheses, `1 of NAME*`, `all of NAME*`, `1 of them`, `all of them`; a list of \
conditions is OR. A list of strings instead of a map searches every value of the event for keywords.
- Not served: expand, the time modifiers (minute … year), timeframe, aggregations such as `| count()`, correlations, \
filter documents."""
"""What every task says before its request."""

ABSTAIN_PROMPT: Final = f"""

The logs may be unable to show what is described, because what would show it is not logged. Then no rule is right: \
answer with `{ABSTENTION}` and nothing else."""
"""What tasks that offer to abstain say besides."""


def messages(task: Task) -> list[Message]:
    """The chat that asks for the task's rule: a system and a user message, with neither reference nor truth in them."""
    system = SYSTEM_PROMPT + ABSTAIN_PROMPT if task.may_abstain else SYSTEM_PROMPT
    return [{"role": "system", "content": system}, {"role": "user", "content": task.request}]


def prompt_text(chat: Sequence[Message]) -> str:
    """The whole prompt as one text, for observations and for people: the messages, a blank line between them."""
    return "\n\n".join(message["content"] for message in chat)
