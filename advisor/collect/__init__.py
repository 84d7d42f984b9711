"""The sampler: whom to read, with which file, how often, inside which cost budget.

In: a `KernelFs` (live, or a captured tree) and options. Out: `Sample`s, each holding only what changed, with what
could not be seen and what it cost; and the profile's header. Every read has a deadline; a process that hangs is
left alone until it answers. The only room that looks at live processes.
May not touch: features, rules, front ends. Doors: `sampler.Sampler`, `session`, and `captured.importing`.
"""
