"""The report: one versioned document that says everything, and its JSON Schema.

In: a profile, its feature table, the advice for each process, the host plan. Out: `document.Report`, which every
renderer takes as its only input; a saved report decodes again without the profile it was made from.
May not touch: the live kernel, rich, textual, the model. May not decide anything: it only writes down.
"""
