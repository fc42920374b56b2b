"""The command line of a benchmark."""

import argparse


def make_parser(module: str, text: str | None, epilog: str = "") -> argparse.ArgumentParser:
    """Return a parser whose help is a module's docstring, line by line."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=text,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
