"""`unmask fit`: a detector learns from a person's own pictures, is calibrated and tested on others.

`run` holds the steps; `trainers` is the table of what can be fitted.
"""
