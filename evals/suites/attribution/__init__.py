"""Which generator made a picture?"""
