"""Evaluation of models: any checkpoint or server, on any split of any dataset."""

from trainer.evaluate.request import Decoding, Request, Result
from trainer.evaluate.start import evaluate, evaluate_all

__all__ = ["Decoding", "Request", "Result", "evaluate", "evaluate_all"]
