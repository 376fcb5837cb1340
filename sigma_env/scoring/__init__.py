"""The single scorer: answer × task → Score."""
