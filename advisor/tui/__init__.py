"""Terminal interface.

In: ticks with reports, through a `Source` (live, recorded, made up). Out: a screen and an exit code. State flows one
way: a thread posts each tick as one message, pure functions (`columns`, `strip`, `detail_*`) make text of it. Knows
neither the kernel's files nor the model: what it shows is in the report document, in the words of the renderers.
"""
