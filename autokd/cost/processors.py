"""Processors by the names that they report, that documentation gives them and that the price table writes."""

from __future__ import annotations

import re
from dataclasses import dataclass

_VENDORS = {
    "Intel": r"intel|xeon",
    "AMD": r"\bamd\b|epyc|ryzen",
    "Arm": r"\barm\b|neoverse|graviton|axion|ampere|cobalt",
    "Apple": r"apple",
}
_EPYC = re.compile(r"EPYC (\d)(\w)(\w)(\d)\w*", re.IGNORECASE)
_XEON = re.compile(r"Xeon (?:(?:Platinum|Gold|Silver) )?(\d)(\d)\d\d\w*(?:-\w)?", re.IGNORECASE)
_NEOVERSE = re.compile(r"Neoverse[- ]([A-Z]\d)", re.IGNORECASE)


@dataclass(frozen=True)
class Processor:
    """What the name of a processor tells; None for what it does not tell, as under many hypervisors.

    series: processors of one generation: `EPYC 9004` for 9R14, 9B14 and 9654, `Xeon 4` for the Platinum 8488C,
    `Neoverse V2` for Graviton4 and Axion. model: one processor, such as `EPYC 9R14`.
    """

    vendor: str | None
    series: str | None = None
    model: str | None = None

    def is_like(self, other: Processor) -> int:
        """2 for the same model, 1 for the same series, 0 where that is not known."""
        if self.model is not None and self.model == other.model:
            return 2
        return int(self.series is not None and self.series == other.series)


def processor(name: str) -> Processor:
    """Reads `AMD EPYC 9R14 96-Core Processor`, `Intel(R) Xeon(R) Platinum 8488C`, `AWS Graviton3 (Arm Neoverse V1)`."""
    plain = " ".join(re.sub(r"\((?:R|TM)\)|\bCPU\b", " ", name, flags=re.IGNORECASE).split())
    vendor = next((vendor for vendor, words in _VENDORS.items() if re.search(words, plain, re.IGNORECASE)), None)
    if vendor == "AMD" and (found := _EPYC.search(plain)):
        generation, *_, last = found.groups()
        return Processor(vendor, f"EPYC {generation}00{last}", found[0].upper())
    if vendor == "Intel" and (found := _XEON.search(plain)):
        first, second = found.groups()
        scalable = first != "6" or re.search("Platinum|Gold|Silver", plain, re.IGNORECASE)
        return Processor(vendor, f"Xeon {second if scalable else first}", found[0].split()[-1].upper())
    if found := _NEOVERSE.search(plain):
        return Processor("Arm", f"Neoverse {found[1].upper()}")
    return Processor(vendor)
