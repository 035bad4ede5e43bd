"""`aws:SecureTransport`: what comes over the loopback counts as encrypted, as everything is that comes to AWS's own
endpoints. There is no TLS here, and each policy that asks for it would refuse everything.
"""

from ministack import app

_pin = app.pin_request_origin


def register() -> None:
    """Put the truth of AWS in place of that of this machine."""
    app.pin_request_origin = lambda address, _secure: _pin(address, True)
