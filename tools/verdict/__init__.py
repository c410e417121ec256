"""The verdict: decision rule, calibration, evidence and their wording."""
