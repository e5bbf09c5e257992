# A worker of Python with one small task.
from manyhands import serve


def increment(n):
    return n + 1


serve([increment])
