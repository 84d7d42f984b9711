"""What was rendered, on disk.

In: names and texts, as renderers make them. Out: new files and a plan's folder, readable by their owner alone; no
symbolic link is followed and nothing of somebody else's is touched. For every front end. May not touch: the words of
the texts, the terminal.
"""
