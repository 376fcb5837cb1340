"""The command line, ``sigma-env COMMAND …``: one module per command."""


def main() -> int:
    """Runs the command that ``sys.argv`` names and returns the exit status: the entry point of ``sigma-env``."""
    import sys

    from sigma_env.cli._app import run

    return run(sys.argv[1:])
