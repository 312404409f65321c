"""Trained models and which of them serves: added from a run, promoted, rolled back, picked up by the workers."""
