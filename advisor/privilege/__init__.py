"""What this program may do on a host, and how it gives up what it does not need.

In: names of capabilities. Out: a table of what each look at the host needs, and this process with less than before.
May not touch: any other room; it is below all of them. Reads nothing of the host, and never gains anything.
"""
