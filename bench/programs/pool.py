# Python's own pool of processes, one item a message: prints how many small tasks a second it carries.
import sys
import time
from multiprocessing import Pool


def increment(n):
    return n + 1


if __name__ == "__main__":
    count, warm_up, size = (int(word) for word in sys.argv[1:])
    with Pool(size) as pool:
        sum(pool.imap(increment, range(warm_up), 1))
        begin = time.perf_counter()
        results = list(pool.imap(increment, range(count), 1))
        seconds = time.perf_counter() - begin
    assert results[-1] == count
    print(count / seconds)
