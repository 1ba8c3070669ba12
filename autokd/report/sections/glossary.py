"""The words of the page that are not everybody's, each with what it means."""

from __future__ import annotations

import re
from typing import Any

GLOSSARY = {
    "teacher": "The large model that is served now.",
    "student": "A smaller model that may replace the teacher.",
    "distilled": "Trained on the teacher's probabilities beside the labels.",
    "direct": "Trained on the labels alone, or used as published.",
    "ratio": "Parameters of the teacher divided by those of the student.",
    "retention": "The student's accuracy as a share of the teacher's.",
    "cost": "US dollars for 1,000 requests; a request is one image.",
    "capacity": "Requests a second that one replica serves.",
    "eligible": "Within every limit that was asked for: budget, latency, accuracy kept.",
    "worthwhile": "Eligible and, where the teacher could be kept, cheap enough to pay for what it costs once.",
    "trial": "One training of the search: a student with a recipe.",
    "recipe": "All settings of one training, such as learning rate, temperature and alpha.",
    "finalist": "One of the best trials, trained again from fresh seeds and tested on the test images.",
    "pick": "The finalist that speaks for its arm.",
    "arm": "One of the two ways to train: with the teacher (distill) or without it (direct).",
    "twin": "The same student trained in the same way, but without the teacher.",
    "gain": "Accuracy of a distilled student minus its twin's: what distilling did.",
    "advantage": "Accuracy of the distilled pick minus the direct pick's: what choosing distillation does.",
    "seed": "The start of the random numbers of a training; other seeds give other models.",
    "screening": "Short trainings of all students; they make the short list.",
    "short list": "The students whose recipes were searched.",
    "repeats": "Supposed further confirmations: other seeds, other test images, costs read again.",
    "at stake": "What is given up at most if an option that was not taken is the better one.",
    "break-even": "The number of requests after which the savings have paid the one-time cost.",
    "utilization": "The share of a replica's capacity that is used.",
    "negative flip": "An image that the teacher gets right and the student wrong.",
    "temperature": "What the logits are divided by before they become probabilities.",
    "alpha": "The weight of the teacher in the loss; 0 is a training without it.",
}
_TERM = re.compile(rf"\b({'|'.join(sorted(map(re.escape, GLOSSARY), key=len, reverse=True))})(s?)\b", re.IGNORECASE)


def explained(words: str) -> Any:
    """Text in which the first word that is ours says on hover what it means; everything else is escaped."""
    from markupsafe import Markup, escape

    found = _TERM.search(words)
    if found is None:
        return escape(words)
    before, after = words[: found.start()], words[found.end() :]
    meaning = GLOSSARY[found.group(1).lower()]
    return Markup('{}<abbr title="{}">{}</abbr>{}').format(before, meaning, found.group(), after)
