"""Training: from measurements to a model, its evaluation and its card.

In: the measuring campaign's families (`models/campaign`), the trial documents and profiles that it collected.
Out: the measured data set, the model file, the honest tables. It may use the trial, the features and the predictor's
file format; it may not touch the front ends, and nothing outside the command line may import it.
"""
