"""Data with sources: what is known of applications, of programs' signs, and of the TLBs of processors.

In: nothing but the TOML files of this folder, each entry with the source of its claim.
Out: `identify.identify`, `applications.load_applications`, `programs.program_signs`, `tlb.tlb_levels`.
A file that does not have its declared shape fails at load with the file and the place in it.
May not touch: the host, and the code of any other room except the fact types of `advisor.procfs.facts`.
"""
