"""An error as an AWS API answers it."""


class AwsError(Exception):
    """A modelled error: its code is the exception's name in the API, its message is for the caller."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
