"""Is the same photograph proven where it is the same, and nowhere else?"""
