"""The trainer: GRPO on verl, vLLM and Ray, from a laptop's CPU to 8 GPUs and more nodes.

It runs in an environment of its own (`make train-env`, `make train-env-gpu`), in which the training stack is installed.
"""
