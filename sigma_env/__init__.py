"""SigmaForge: an RL environment in which a model writes Sigma rules and is scored by running them."""
