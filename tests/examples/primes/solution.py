"""Prime numbers below a limit. This file is edited; the tests that it must keep are in bench.py."""

METHOD = "trial"  # trial, wheel, fermat, sieve


def primes_below(limit: int) -> list[int]:
    if METHOD == "sieve":
        return sieve(limit)
    test = {"trial": by_trial, "wheel": by_wheel, "fermat": by_fermat}[METHOD]
    return [number for number in range(2, limit) if test(number)]


def by_trial(number: int) -> bool:
    divisor = 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 1
    return True


def by_wheel(number: int) -> bool:
    if number < 4 or number % 2 == 0 or number % 3 == 0:
        return number in (2, 3)
    divisor = 5
    while divisor * divisor <= number:
        if number % divisor == 0 or number % (divisor + 2) == 0:
            return False
        divisor += 6
    return True


def by_fermat(number: int) -> bool:
    """Quick, and wrong about pseudoprimes such as 341."""
    return number == 2 or (number % 2 == 1 and pow(2, number - 1, number) == 1)


def sieve(limit: int) -> list[int]:
    prime = bytearray([1]) * limit
    prime[:2] = b"\0\0"[:limit]
    for number in range(2, int(limit**0.5) + 1):
        if prime[number]:
            prime[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return [number for number in range(limit) if prime[number]]
