"""Training text: documents by domain.

A shard is a file DOMAIN.NN.txt.xz: one xz stream of UTF-8 documents, each followed by one NUL byte. Shards named
valid.DOMAIN.txt.xz are for evaluation only and never trained on.

Shards hold no program code. The domain `code` is read from what a developer's machine has installed anyway: standard
libraries of Python, Node and Go, and system headers. It is gathered anew on each machine, so the model card lists it.
"""
import glob
import hashlib
import lzma
import os

CODE_FOLDERS = {
    "python": ("/usr/lib/python3*", "/usr/local/lib/python3*", (".py",)),
    "headers": ("/usr/include", "/usr/lib/gcc", (".h", ".hpp")),
    "go": ("/usr/share/go-*", "/usr/local/go/src", (".go",)),  # Debian has links to the first in /usr/lib
    "node": ("/usr/lib/node_modules", "/usr/local/lib/node_modules", (".js", ".ts")),
    "perl": ("/usr/share/perl*", "/usr/lib/x86_64-linux-gnu/perl*", (".pm", ".pl")),
    "cmake": ("/usr/share/cmake*", "/usr/local/share/cmake*", (".cmake",)),
}
CODE_BYTES_A_LANGUAGE = 20_000_000
MAX_FILE_BYTES = 200_000  # larger ones are generated tables
VALID_PART = 100  # one document of so many is for evaluation


def shards(folder):
    """[(domain, is_valid, path)] of a folder, sorted."""
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "*.txt.xz"))):
        parts = os.path.basename(path).split(".")
        valid = parts[0] == "valid"
        found.append((parts[1] if valid else parts[0], valid, path))
    if not found:
        raise SystemExit(f"{folder}: no shards (DOMAIN.NN.txt.xz)")
    return found


def documents(path):
    with lzma.open(path) as f:
        data = f.read()
    for document in data.split(b"\0"):
        if document:
            yield document.decode("utf-8")


def code_documents():
    """(language, is_valid, text), the same on each call on one machine; duplicates left out."""
    seen = set()
    for language, (*patterns, extensions) in CODE_FOLDERS.items():
        files = []
        for pattern in patterns:
            for top in glob.glob(pattern):
                for folder, _, names in os.walk(top):
                    files += [os.path.join(folder, n) for n in names if n.endswith(extensions)]
        # In an order that has nothing to do with folders, so that the cap takes from all of them.
        files.sort(key=lambda p: hashlib.sha1(p.encode()).digest())
        total = 0
        for path in files:
            try:
                with open(path, "rb") as f:
                    data = f.read(MAX_FILE_BYTES + 1)
                text = data.decode("utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            digest = hashlib.sha1(b" ".join(data.split())).digest()
            if not 200 <= len(data) <= MAX_FILE_BYTES or b"\0" in data or digest in seen:
                continue
            seen.add(digest)
            yield language, int.from_bytes(digest[:4], "big") % VALID_PART == 0, text
            total += len(data)
            if total > CODE_BYTES_A_LANGUAGE:
                break
