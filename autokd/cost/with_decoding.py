"""What is left of a capacity where the serving machine decodes and resizes the images too."""

from __future__ import annotations

from autokd.records import CostModel, Decoding


def capacity_with_decoding(capacity_rps: float, decoding: Decoding, model: CostModel) -> float:
    """Requests per second of one replica.

    On a processor both share the cores: a request takes the network's time and then its decoding, spread over all
    cores. On an accelerator the host decodes while the network runs, so the slower of the two is the limit. A replica
    of several accelerators has the cores of each.
    """
    decoded_rps = 1000 * decoding.cores / decoding.milliseconds
    if model.device.partition(":")[0] == "cpu":
        return 1 / (1 / capacity_rps + 1 / decoded_rps) if capacity_rps > 0 else 0.0
    return min(capacity_rps, decoded_rps * model.accelerators_per_replica)
