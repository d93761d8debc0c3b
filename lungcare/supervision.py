"""How soon a worker that died is started again."""

from functools import partial

from bentoml._internal.utils import circus

SECONDS = 1


def look_each_second() -> None:
    """Have BentoML look after its workers each second. By itself it does every ten, and has no setting for it.

    To be called before the server is made: by the module of the service.
    """
    circus.create_standalone_arbiter = partial(circus.create_standalone_arbiter, check_delay=SECONDS)
