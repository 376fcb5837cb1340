from sigma_env.sigma.modifiers import MODIFIERS
from sigma_env.sigma.parser import parse_rule
from sigma_env.sigma.taxonomy import select
from sigma_env.tasks.messages import SYSTEM_PROMPT, messages, prompt_text
from sigma_env.tasks.task import Task

TASK = Task(
    request="Somebody dumps LSASS with comsvcs.dll.",
    reference="{logsource: {category: process_creation}, detection: {s: {CommandLine: SECRET}, condition: s}}",
    logsource={"category": "process_creation"},
    split="train",
    source="test",
    author="Author Of The Rule",
    tags=("attack.t1003",),
)


def test_a_prompt_is_a_system_and_a_user_message():
    chat = messages(TASK)
    assert [m["role"] for m in chat] == ["system", "user"]
    assert chat[1]["content"] == TASK.request


def test_the_observation_is_the_whole_prompt():
    text = prompt_text(messages(TASK))
    assert all(m["content"] in text for m in messages(TASK))
    assert len(text) == sum(len(m["content"]) for m in messages(TASK)) + 2


def test_neither_reference_nor_what_is_known_of_it_is_in_a_prompt():
    text = prompt_text(messages(TASK))
    for secret in ("SECRET", TASK.author, TASK.id, "t1003", TASK.source + "\n"):
        assert secret not in text


def test_the_prompt_names_every_modifier_that_is_served_and_none_that_does_not_exist():
    line = next(line for line in SYSTEM_PROMPT.splitlines() if line.startswith("- Modifiers:"))
    named = {word.strip("().,") for word in line.replace("- Modifiers:", "").split(". A ")[0].split()} - {"with"}
    synonyms = {"ignorecase", "multiline", "dotall"}
    refused = {"expand", "minute", "hour", "day", "week", "month", "year"}
    assert named == MODIFIERS - synonyms - refused


def test_the_example_in_the_prompt_is_a_rule():
    import yaml

    example = SYSTEM_PROMPT.split("```yaml\n")[1].split("```")[0]
    rule = parse_rule(yaml.safe_load(example))
    assert select(rule.logsource).targets
