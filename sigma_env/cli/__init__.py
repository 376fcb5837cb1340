"""The command line, ``sigma-env COMMAND …``: one module per command."""


def main() -> int:
    """Runs the command that ``sys.argv`` names and returns the exit status: the entry point of ``sigma-env``."""
    import sys
    from io import TextIOWrapper

    from sigma_env.cli._app import run

    if isinstance(sys.stdout, TextIOWrapper):
        # Logs hold any text, and file names any bytes: a terminal that lacks a character must not end a hunt.
        sys.stdout.reconfigure(errors="backslashreplace")
    return run(sys.argv[1:])
