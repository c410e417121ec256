"""The verdict: the rule, its calibration, the evidence, and how both are put into words."""
