"""The directory at the head of a compact stream."""

from .coder import Counter, counters, squash

PRIMER = bytes.fromhex("""
    5bfe23d58739221f52e2f6346cde718a6161142ecc77cff14819e24c607e9fafc037df59850cb5277aa8ec1adbe8cb76ba7c7af55eb25b8d899d1bc7
    0351978955b9159556c68aa5c81700f368b0f17ebebff998ab9866821aef366e007649251d60af3155f42bec7a6d40106b548afebf74134d182959fa
    b215e467e773860e83598346c7d4b7a9172e39d9075038e6ca9e171255e4adc5c6b3c785c4a185d1bec7a2ab0d9434cd689e108a8f1a92dfc816e226
    a22a635c04498b83b2142b0bd2a79526e96a79be57f9472e1b7cdea39b25b37709b1b32a729f6488021f2ec96fc1a6fe5607f2fc7ce0795991ed7f82
    4e254bbd18136ffe9af3636ac1785ff63b0474f69945ad6d4fe3e1f4432f2b309ca8372c9f023c0cb930540e341542526c21850ad99d925df1be397f
    7cb27a6f8d72e788107d8b8d156ac8bec67d7e234e2dcfb662084ca086a72d63648c151fe4146a4125aeb37ecef169f18ae71a8dddce0ec6872ff671
    b129bd416b73d4cce44ce658dae3b03e7f99a25137fb729ec48c950f4be4640ffb32b641d3a55e5b8dfe0a
""")
# Lengths of the primer's directories; entries of codebooks and numbers after them; entries of codebooks of f16.
PRIMER_HEADS = [35, 36, 47, 49, 55, 35, 54, 26]
PRIMER_LISTS = [(8, 16), (8, 24), (8, 24), (4, 24), (8, 10)]
PRIMER_HALVES = [16, 4]
MAX_HEAD_BYTES = 1 << 16


class Head:
    """The models of a directory's bytes: contexts of up to four bytes before."""

    def __init__(self):
        self.orders, self.before = [counters() for _ in range(5)], 0

    def byte(self, coder):
        node = 1
        while node < 256:
            found, logit = [self.counter(order, node) for order in range(5)], 0
            for counter in found:
                logit += counter.evidence(logit, 8)
            bit = coder.bit(squash(logit))
            for counter in found:
                counter.learn(bit, 250)
            node = 2 * node + bit
        self.before = (self.before << 8 | node & 255) & 0xFFFFFFFF
        return node & 255

    def counter(self, order, node):
        context = self.before & (1 << 8 * order) - 1
        both = (context * 0x9E3779B1 ^ node * 0x85EBCA6B) & 0xFFFFFFFF
        return self.orders[order][(both * 0x9E3779B1 & 0xFFFFFFFF) >> 19]


def forget(models):
    """No counter goes on as if it had seen more than three bits."""
    if isinstance(models, Counter):
        models.n = min(models.n, 3)
    else:
        for part in models.values() if isinstance(models, dict) else vars(models).values():
            forget(part)
