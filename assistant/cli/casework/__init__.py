"""Commands about recorded cases: review, report, verify, replay, hand over."""
