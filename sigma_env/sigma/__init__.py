"""The language: what a Sigma rule is, what it selects, and how an answer becomes one."""
