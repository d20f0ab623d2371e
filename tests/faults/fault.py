"""What every kind of faults.py tells."""


class Fault(Exception):
    """The program did not bear a fault."""
