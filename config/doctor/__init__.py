"""
What a deployment suffers from, and how to mend it: ``manage.py doctor``.

Each check is one small function that looks at one thing and yields findings; all of
them stand in ``config.doctor.examination``. A few know how to mend what they find
without losing anything.
"""
