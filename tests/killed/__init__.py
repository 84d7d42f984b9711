"""Commands that are killed with SIGKILL at random moments: what they leave can be read, and the next run clears up.

In: commands that write files or change settings of this host. Out: a line for each command, and what was wrong.
"""
