"""Tests of recommendations and the host plan."""
