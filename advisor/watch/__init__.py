"""A host watched over time, live or from a recording: one report a tick, made in a child process.

In: what to watch (`Job`). Out: frames on a pipe, each one a `Tick` with the report as of then, or a `Problem`.
Reading /proc, folding and advising happen in the child; whoever shows the ticks imports `frames` and `child` alone,
which know neither /proc nor tables nor the model, and is never made to wait. Memory of the child does not grow: of
what was observed long ago, only the state is kept (`window`). A live trial has a child of its own, in the same way
(`trial_frames`, `trial_child`). May not touch: front ends, rendering.
"""
