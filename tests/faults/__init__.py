"""A host whose files fail on purpose: each file that a command reads, one at a time, in each way in which one can.

In: a constructed /proc and /sys under a root of their own (`tree`), taken for the live host. Out: what a command said
and how it ended. The files are those that the command opens, as Python's audit events tell, not a list that ages.
"""
