"""Attribution: which generator made a picture?"""
