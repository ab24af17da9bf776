#!/usr/bin/env python3
"""Writes character_tables.zst: which bytes are which characters in the encodings of character_encoding.h that have tables.

A table is 128 numbers for the bytes 80 .. ff; those of two bytes go on with one for each pair of a first byte 81 .. fe and a second 40 .. fe.
A number is a code point (u16, little-endian), or 0 where the bytes are no character, or where that character has other bytes, too,
and Python's codec of that name writes those. So each table is one to one. The tables are part of the archive format
(docs/format.md, section 6): they must never change, and the build takes the file as it is; this script says where it is from.
Made with Python 3.11.7 (unicodedata 14.0) and zstd 1.5.4.
"""
import os
import struct
import subprocess

ONE_BYTE = ["cp1252", "cp1251", "koi8_r", "cp866", "iso8859_5", "cp1250", "iso8859_2", "cp850", "cp437", "iso8859_15",
            "mac_roman", "cp1253", "iso8859_7", "cp1254", "cp1255", "cp1256", "cp1257", "koi8_u", "cp874"]
TWO_BYTES = ["cp932", "euc_jp", "gbk", "cp950", "cp949"]


def code_point(codec, encoded):
    try:
        text = encoded.decode(codec)
        return ord(text) if len(text) == 1 and text.encode(codec) == encoded and ord(text) < 0x10000 else 0
    except UnicodeError:
        return 0


def main():
    data = b""
    for codec in ONE_BYTE + TWO_BYTES:
        assert all(bytes([b]).decode(codec) == chr(b) for b in range(128)), codec
        table = [code_point(codec, bytes([b])) for b in range(0x80, 0x100)]
        if codec in TWO_BYTES:
            table += [code_point(codec, bytes([a, b])) for a in range(0x81, 0xff) for b in range(0x40, 0xff)]
        data += struct.pack(f"<{len(table)}H", *table)
    out = os.path.join(os.path.dirname(os.path.abspath(__file__)), "character_tables.zst")
    subprocess.run(["zstd", "--ultra", "-22", f"--stream-size={len(data)}", "-q", "-f", "-o", out, "-"], input=data, check=True)


if __name__ == "__main__":
    main()
