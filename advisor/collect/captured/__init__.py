"""Captures that people already have, as profiles of one sample: sosreports, trees of /proc and /sys, smem captures.

In: a folder or an archive made by somebody else, perhaps hostile. Out: a `Profile` with source "tree". Only what the
sampler reads is copied, within limits, to a folder that is removed again; the sampler then reads that folder as it
reads any captured tree. May not touch: the live host, features, front ends. Door: `importing`.
"""
