"""The AWS side of the wire, on this computer. Never shipped in the zip."""
