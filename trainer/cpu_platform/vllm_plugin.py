"""Entry point of the group `vllm.general_plugins`. vLLM calls it in every process of its own."""

from trainer.cpu_platform import is_wanted


def register() -> None:
    """Keeps the weights of linear layers, so that verl can load new ones after every update.

    Raises:
        UpstreamChanged: a line that is worked around is gone.
    """
    if not is_wanted():
        return
    from vllm import _custom_ops as ops

    from trainer.cpu_platform import upstream
    from trainer.upstream import check

    check(upstream.VLLM)
    ops._supports_onednn = False
