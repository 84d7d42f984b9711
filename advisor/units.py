"""Units of memory, in bytes (IEC 80000-13). /proc says kB where it means KiB."""

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
