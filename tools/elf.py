"""Which CPU a compiled file is for."""

from __future__ import annotations

from pathlib import Path

_MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}  # e_machine in the ELF header


def architecture_of(file: Path) -> str | None:
    """As Lambda names it; None for what is not compiled for Linux on one of its CPUs."""
    with file.open("rb") as content:
        header = content.read(20)
    if header[:4] != b"\x7fELF":
        return None
    return _MACHINES.get(int.from_bytes(header[18:20], "little"))
