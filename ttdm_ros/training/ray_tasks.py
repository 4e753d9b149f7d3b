"""Work on a Ray cluster that runs already; Ray is an optional dependency, and imported only here."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ttdm_ros.errors import SensitivityError, TtdmError


def ray_results(
    function: Callable[..., Any], shared: Any, items: Sequence[tuple[Any, ...]], *, limit: int | None = None
) -> Iterator[tuple[int, Any]]:
    """Call ``function(shared, *item)`` for every item as Ray tasks of one processor each.

    Args:
        function: of an importable module, which the workers have installed too.
        shared: sent to each node once.
        items: the other arguments of each call.
        limit: calls at once; twice the processors of the cluster if left out, which keeps all of them busy.

    Yields:
        The index of an item and its result, in the order in which they are finished.

    Raises:
        SensitivityError: Ray is not installed, there is no cluster, or a task failed or was killed.
        TtdmError: the function raised it.
    """
    ray = _ray()
    connected_before = ray.is_initialized()
    _connect(ray)
    pending: dict[Any, int] = {}
    try:
        limit = limit or 2 * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        task, reference, waiting = ray.remote(num_cpus=1)(function), ray.put(shared), iter(enumerate(items))
        while True:
            while len(pending) < limit and (following := next(waiting, None)) is not None:
                index, item = following
                pending[task.remote(reference, *item)] = index
            if not pending:
                return
            for done in ray.wait(list(pending), num_returns=1)[0]:
                yield pending.pop(done), ray.get(done)
    except ray.exceptions.RayError as error:
        cause = getattr(error, "cause", None)  # of a task: what the function raised
        if isinstance(cause, TtdmError):
            raise cause from error
        reason = cause or (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SensitivityError(
            f"a task on the Ray cluster failed ({reason}); start the same export again, as what is finished is kept"
        ) from error
    finally:
        for left in pending:
            ray.cancel(left)
        if not connected_before:
            ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise SensitivityError(
            "the executor 'ray' needs the package ray; install the cluster's version of it with `pip install ray`"
        ) from error
    return ray


def _connect(ray: Any) -> None:
    try:
        ray.init(address="auto", ignore_reinit_error=True, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise SensitivityError(
            f"no Ray cluster can be reached ({reason}); start one with `ray start --head`, or set RAY_ADDRESS"
        ) from error
