"""Terminal interface.

In: reports, through a source. Out: a screen. Knows neither the kernel's files nor the model: what it shows is in the
report document, in the words of the renderers.
"""
