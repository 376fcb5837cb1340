"""Answers to the task `whoami` of the small dataset, one of each kind; most make sense for the others too."""

WHOAMI = r"""
  selection:
    Image|endswith: '\cmd.exe'
    CommandLine|contains: whoami"""

ANSWERS = {
    "right": rf"""<think>cmd.exe, but not SYSTEM</think>
```yaml
logsource: {{category: process_creation, product: windows}}
detection:{WHOAMI}
  filter:
    User|endswith: '\SYSTEM'
  condition: selection and not filter
```""",
    "no filter": f"logsource: {{category: process_creation}}\ndetection:{WHOAMI}\n  condition: selection\n",
    "half": "logsource: {category: process_creation}\ndetection: {s: {CommandLine|contains: ' /all'}, condition: s}",
    "everything": "logsource: {product: windows}\ndetection: {s: {EventID: '*'}, condition: s}",
    "whole category": "logsource: {category: process_creation}\ndetection: {s: {EventID: 1}, condition: s}",
    "other place": "logsource: {service: security}\ndetection: {s: {EventID: 4688}, condition: s}",
    "unknown place": "logsource: {category: process_start}\ndetection: {s: {Image: x}, condition: s}",
    "nothing": "logsource: {category: process_creation}\ndetection: {s: {Image: nowhere}, condition: s}",
    "aggregation": "logsource: {category: process_creation}\ndetection: {s: {Image: x}, condition: s | count() > 5}",
    "correlation": "title: c\ncorrelation: {type: event_count, rules: [a]}",
    "empty": "",
    "prose": "I would look for whoami in the command line.",
    "open thought": "<think>maybe logsource: {category: process_creation}",
    "two mappings": "logsource: {category: process_creation}\n---\ndetection: {s: {Image: x}, condition: s}",
    "alias": "logsource: &a {category: process_creation}\ndetection: {s: *a, condition: s}",
    "no condition": "logsource: {category: process_creation}\ndetection: {s: {Image: x}}",
    "empty list": "logsource: {category: process_creation}\ndetection: {s: {Image: []}, condition: s}",
    "look-ahead": "logsource: {category: process_creation}\ndetection: {s: {Image|re: '(?=a)'}, condition: s}",
    "huge": "logsource: {category: process_creation}\ndetection: {s: {Image: [" + "x, " * 60_000 + "x]}, condition: s}",
    "surrogate": "logsource: {category: process_creation}\ndetection: {s: {Image: '\ud800'}, condition: s}",
    "control": 'logsource: {category: process_creation}\ndetection: {s: {Image: "\\e[31m"}, condition: s}',
}
