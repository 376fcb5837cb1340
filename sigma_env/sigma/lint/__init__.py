"""What is wrong with a rule, or will surprise, before it runs."""
