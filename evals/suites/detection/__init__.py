"""Detection: forged or authentic, by detector."""
