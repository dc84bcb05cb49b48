"""Compresses the members of a wheel as small as Deflate can: `python recompress.py WHEEL`, with the package `deflate` (libdeflate).

Source: APPNOTE.TXT, the ZIP file format, 4.3.7 to 4.3.16.
"""

from __future__ import annotations

import os
import struct
import sys
import zipfile

import deflate

# 1980-01-01 00:00, so that the same content gives the same bytes.
TIME, DATE = 0, 33
# Names in UTF-8.
FLAGS = 1 << 11


def recompress(path: str) -> None:
    body, directory, n = bytearray(), bytearray(), 0
    with zipfile.ZipFile(path) as wheel:
        for member in wheel.infolist():
            content, name = wheel.read(member), member.filename.encode()
            packed, method = bytes(deflate.deflate_compress(content, 12)), zipfile.ZIP_DEFLATED
            if len(packed) >= len(content):
                packed, method = content, zipfile.ZIP_STORED
            about = struct.pack(
                "<HHHHHIIIHH", 20, FLAGS, method, TIME, DATE, member.CRC, len(packed), len(content), len(name), 0
            )
            # Made by Unix, for the permissions.
            entry = struct.pack("<4sH", b"PK\1\2", 3 << 8 | 20) + about
            entry += struct.pack("<HHHII", 0, 0, 0, member.external_attr, len(body)) + name
            body += b"PK\3\4" + about + name + packed
            directory += entry
            n += 1
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, n, n, len(directory), len(body), 0)
    with open(f"{path}.part", "wb") as file:
        file.write(body + directory + end)
    os.replace(f"{path}.part", path)


if __name__ == "__main__":
    recompress(sys.argv[1])
