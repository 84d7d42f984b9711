"""What was observed, raw: samples and profiles, their file format, their redaction, and how samples add up.

In: samples from the sampler, or a file. Out: a `Profile`, a file that reads up to its last whole sample, or a
`Timeline`, the state after some samples. Nothing here is derived, so old profiles gain new features.
May not touch: the live kernel, numpy, polars, the model. Doors: `model`, `codec`, `redact`, `timeline`.
"""
