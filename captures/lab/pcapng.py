"""Takes the name of the machine's kernel out of a pcapng file, which the Wireshark tools write there unasked."""

import struct

SECTION_HEADER = 0x0A0D0D0A
HEADER_BYTES = 28  # type, length, byte-order magic, version, section length, length again: a block without options


def forget_origin(file):
    """Rewrites the section header at the start of a little-endian pcapng file without its options."""
    content = file.read_bytes()
    kind, length = struct.unpack_from("<II", content)
    if kind != SECTION_HEADER:
        raise ValueError(f"{file.name} does not start with a section header")
    size = struct.pack("<I", HEADER_BYTES)
    file.write_bytes(content[:4] + size + content[8:24] + size + content[length:])
