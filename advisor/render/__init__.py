"""Report to text, JSON, Markdown and HTML.

In: a `Report`, nothing else; a saved report renders the same without the host or profile it came from.
Out: strings. Names of processes come from anybody who may run a program: each renderer shows them harmless.
May not touch: any room upstream of report, files, the terminal's state.
"""
