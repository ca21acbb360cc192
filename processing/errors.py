"""
What processing refuses.

::

    ProcessingError
    ├── UnknownRecipeError            no such recipe, or not that version
    ├── UnknownProcessingRunError     missing, or not visible to this person
    ├── UnknownMapsError              no proposal of which they see anything
    ├── UnknownProductError           no product, or not of a dataset that they may see
    ├── RecipeDefinitionError         a function that cannot become a recipe
    ├── RecipeParameterError          parameters outside the manifest's schema
    ├── RecipeInputError              datasets that do not fit the recipe's roles
    ├── QueueQuotaError               too many runs of this person wait already
    ├── ProcessingRunEndedError       an act on a run that has ended
    ├── TooMuchChangeError            facility.toml would change more than it allows itself
    ├── NothingToReplayError          a replay of what has brought no result
    ├── LeaseLostError                another worker has taken the run over
    ├── ExportError                   a history that cannot be told, or not yet
    ├── UnsignedError                 nobody has signed how a dataset was made
    ├── SigningKeyError               the facility's key is none
    └── EngineError                   the engine cannot be reached
"""

from dataclasses import dataclass


class ProcessingError(Exception):
    """Root of all that processing refuses; the text tells the next step."""


class UnknownRecipeError(ProcessingError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"There is no recipe {name}. The page of recipes lists those that are registered."
        )


class UnknownProcessingRunError(ProcessingError):
    def __init__(self, uuid: str) -> None:
        self.uuid = uuid
        super().__init__(f"There is no processing run {uuid} that you may see.")


class UnknownProductError(ProcessingError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"There is no product {name} that you may see. Name it by rule and subject, "
            "xrd-map/<identifier of the dataset>, or by a dataset that it made."
        )


class UnknownMapsError(ProcessingError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"There is no proposal {name} of which you may see a dataset. Check the number, take "
            "the identifier if two facilities use it, or sign in."
        )


class RecipeDefinitionError(ProcessingError):
    def __init__(self, recipe: str, reason: str) -> None:
        self.recipe = recipe
        self.reason = reason
        super().__init__(f"Recipe {recipe}: {reason}")


@dataclass(frozen=True)
class ParameterFault:
    """One parameter at fault: ``pointer`` is a JSON pointer, "#/parameters/bins"."""

    pointer: str
    detail: str

    @property
    def name(self) -> str:
        """First name below ``parameters``: the form field it belongs to."""
        parts = self.pointer.split("/")
        return parts[2] if len(parts) > 2 else ""


class RecipeParameterError(ProcessingError):
    def __init__(self, faults: list[ParameterFault]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{f.name or 'parameters'}: {f.detail}" for f in faults))


class RecipeInputError(ProcessingError):
    """
    Datasets that do not fit a recipe's roles.

    Parameters
    ----------
    role : str
        The role of the recipe at fault, "geometry".
    reason : str
        What was given, what is expected, and what to do.
    """

    def __init__(self, role: str, reason: str) -> None:
        self.role = role
        self.reason = reason
        super().__init__(f"{role}: {reason}")


class QueueQuotaError(ProcessingError):
    """
    A person who has as many runs in the queue as the facility allows.

    Parameters
    ----------
    most : int
        Queued runs per person, of the configuration that counts.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(
            f"You have {most} processing runs in the queue, as many as this facility allows. "
            "Wait until some of them have started, or cancel those you no longer need."
        )


class ProcessingRunEndedError(ProcessingError):
    def __init__(self, uuid: str, state: str) -> None:
        self.uuid = uuid
        self.state = state
        super().__init__(f"This processing run has {state} and changes no more. Launch it again.")


class TooMuchChangeError(ProcessingError):
    """
    A declaration that would have more products made anew than it allows itself.

    Parameters
    ----------
    changed : int
        Products to be computed because of it.
    most : int
        ``max_change`` of its section [steward].
    """

    def __init__(self, changed: int, most: int) -> None:
        self.changed = changed
        self.most = most
        super().__init__(
            f"{changed} products would be computed because of this, and max_change is {most}. "
            "Look at the plan; if that is meant, apply it with --yes, or confirm it on the page."
        )


class NothingToReplayError(ProcessingError):
    def __init__(self, uuid: str, reason: str) -> None:
        self.uuid = uuid
        self.reason = reason
        super().__init__(
            f"This processing run cannot be replayed: {reason}. Replay one that has succeeded."
        )


class LeaseLostError(ProcessingError):
    def __init__(self, uuid: str, fence: int) -> None:
        self.uuid = uuid
        self.fence = fence
        super().__init__(f"Attempt {fence} of processing run {uuid} no longer holds the lease.")


class ExportError(ProcessingError):
    """A history that cannot be told in this form, or not yet; the reason is a sentence."""


class UnsignedError(ProcessingError):
    def __init__(self, pid: str) -> None:
        self.pid = pid
        super().__init__(
            f"How dataset {pid} was made is unsigned. Ask the operator whether the facility signs."
        )


class SigningKeyError(ProcessingError):
    """A key that cannot be read, or would be overwritten."""


class EngineError(ProcessingError):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)
