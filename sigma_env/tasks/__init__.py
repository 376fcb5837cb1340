"""Tasks: what is asked, which events are the truth, and the datasets they come in."""
