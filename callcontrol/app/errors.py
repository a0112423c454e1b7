"""What keeps the daemon from starting."""


class StartError(Exception):
    """The daemon can't start; what to do is in the words. `away`: something outside didn't answer."""

    def __init__(self, message: str, *, away: bool) -> None:
        super().__init__(message)
        self.away = away
