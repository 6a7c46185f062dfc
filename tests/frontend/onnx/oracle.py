"""What the oracles share: they run in the .venv that scripts/lib/oracles makes, or are skipped, visibly."""
import os
import sys


def again_in_venv(error, packages):
    """After a failed import: starts the script again with the venv's Python; where that has failed too, exit 77."""
    venv = os.environ.get("LASNN_VENV") or os.path.join(os.path.dirname(__file__), "../../../.venv")
    python = os.path.join(venv, "bin", "python")
    if os.path.exists(python) and "LASNN_ORACLE_VENV" not in os.environ:
        os.execve(python, [python, *sys.argv], {**os.environ, "LASNN_ORACLE_VENV": "1"})
    print(f"skipped: {error}; pip install {packages} in .venv or $LASNN_VENV")
    sys.exit(77)
