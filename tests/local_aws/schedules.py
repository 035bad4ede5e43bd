"""EventBridge's schedules: a minute of theirs can be made shorter, so that nobody waits a real one."""

from ministack.services import eventbridge

# MiniStack looks every 10 s whether a rule is due; AWS fires within the minute.
_SWEEPS_A_MINUTE = 12
_MINUTE = 60.0


def register(minute: float) -> None:
    """Let a minute of `rate(...)` take `minute` seconds."""
    parse = eventbridge._parse_rate_seconds

    def scaled(expression: str) -> float | None:
        seconds = parse(expression)
        return None if seconds is None else seconds * minute / _MINUTE

    eventbridge._parse_rate_seconds = scaled
    eventbridge._SCHEDULER_TICK_INTERVAL = minute / _SWEEPS_A_MINUTE
