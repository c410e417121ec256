"""The experiment that the project began with."""
