"""The AWS side, on this computer: never shipped in the zip."""
