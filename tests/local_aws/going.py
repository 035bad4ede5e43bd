"""What is in a network for as long as its deletion takes."""

from . import efs
from .network_firewall import firewalls
from .sagemaker import interfaces


def let_go() -> None:
    """Let go of what has been deleted long enough ago, before somebody looks at interfaces."""
    firewalls.purge()
    efs.purge()
    interfaces.purge()
