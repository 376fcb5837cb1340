"""What does not exist yet: hosts and their logs, near-misses, the requests of analysts."""
