"""How a recipe gives up: by its user's fault, or by its own."""


class RecipeError(Exception):
    """
    A refusal by a recipe that its user can mend: the run ends without a retry.

    Parameters
    ----------
    code : str
        Stable name of the refusal, "xrd-shape".
    message : str
        What, where, what was expected, and what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)


class ProgramError(Exception):
    """
    A command or notebook that failed by itself.

    Parameters
    ----------
    code : str
        Stable name of the failure, "command-failed".
    message : str
        Which part failed with which words, and what to do.
    trace : str
        What it said last.
    """

    def __init__(self, code: str, message: str, trace: str = "") -> None:
        self.code = code
        self.message = message
        self.trace = trace
        super().__init__(message)
