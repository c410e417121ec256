"""Commands that keep personal data from others: delete it, or lock it at rest."""
