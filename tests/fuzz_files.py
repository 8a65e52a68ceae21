"""Files drawn by atheris, guided by what of the code they reach.

``make fuzz`` runs this for saved estimators and for CSV files: `vaeimpute.load` and the
reader of the command line may refuse any file by a ValueError, and do nothing else.
Ends with the first file for which they do.
"""

import hashlib
import struct
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["vaeimpute"]):
    from vaeimpute._files import TextTable
    from vaeimpute._persistence import FORMAT, decode
    from vaeimpute.archive import _CLASSES

HEAD = struct.calcsize("<10sI32s")
SAVED = Path(__file__).parent / "data" / "penguins_format_1.vae"


def load_saved(content):
    """Load a file with a right checksum: without one, no other code is reached."""
    checksum = hashlib.sha256(content).digest()
    head = struct.pack("<10sI32s", b"VAEIMPUTE\n", FORMAT, checksum)
    try:
        decode(head + content, _CLASSES)
    except ValueError:
        return


def read_text(content):
    """Read a text, and write it as it was."""
    text = content.decode("utf-8", "replace")
    try:
        table = TextTable.parse(text, ",")
    except ValueError:
        return
    assert len(table.frame()) == len(table.ends) - 1
    assert table.to_text() == text


TARGETS = {
    "saved": (load_saved, SAVED.read_bytes()[HEAD:]),
    "csv": (read_text, b'a,b,"c d"\n1,,x\r\n-2.50,"y, ""z""",NA\n'),
}


def main():
    target, seed = TARGETS[sys.argv.pop(1)]
    with tempfile.TemporaryDirectory() as corpus:
        (Path(corpus) / "seed").write_bytes(seed)
        atheris.Setup([*sys.argv, corpus], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
