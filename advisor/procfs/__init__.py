"""Kernel text to typed facts.

In: bytes of files below a procfs and a sysfs root, which may be this machine's or a captured tree's.
Out: the structs of `facts.py`, or a typed error of `errors.py` that names file and line.
Parsers are pure functions of bytes; only `fs.py` opens files. This room knows nothing of what is above it.
"""
