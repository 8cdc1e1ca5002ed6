"""Runs a command as on a kernel that has no Landlock: its system calls (444 to 446) are answered with ENOSYS."""

import ctypes
import os
import struct
import sys

SET_NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2
LOAD, JUMP_BELOW, JUMP_ABOVE, RETURN = 0x20, 0x35, 0x25, 0x06
ALLOW, ENOSYS = 0x7FFF0000, 0x00050000 | 38

program = b"".join(
    struct.pack("HBBI", *line)
    for line in [
        (LOAD, 0, 0, 0),  # the number of the system call
        (JUMP_BELOW, 0, 2, 444),  # lower numbers are allowed
        (JUMP_ABOVE, 1, 0, 446),  # and so are higher ones
        (RETURN, 0, 0, ENOSYS),
        (RETURN, 0, 0, ALLOW),
    ]
)
code = ctypes.create_string_buffer(program)
header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
for arguments in [(SET_NO_NEW_PRIVS, 1, 0, 0, 0), (SET_SECCOMP, FILTER, header, 0, 0)]:
    if libc.prctl(*arguments) != 0:
        sys.exit(f"cannot filter system calls: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
