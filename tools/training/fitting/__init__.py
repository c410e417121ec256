"""`unmask fit`: train a detector on a user's own pictures, calibrate it and test it on other
persons.

`run` holds the steps; `trainers` is the table of detectors that can be fitted.
"""
