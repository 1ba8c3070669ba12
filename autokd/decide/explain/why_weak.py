"""Why a verdict is weak: sentences with gaps, for every reason that may come and go with what is asked.

The rules fill them in (flaws, at_stake, strength), and so does the page for conditions of its own.
"""

WHY_WEAK = {
    # flaws
    "weights_seen": "The start weights of {names} are of these very classes. They may have been trained on images that "
    "are now test images. Needed: a separate test/ folder.",
    "untried": "The search tried no student that costs more than {budget} per 1,000 requests under these conditions. "
    "Needed: a new search under them with {setting}.",
    "one_seed": "{finalists} had one seed, which says nothing about other seeds. Needed: 3 seeds.",
    "borrowed": "The price is that of another machine than was measured, and machines of that kind and size cost {low} "
    "to {high} an hour: {clause}. Needed: {setting}.",
    "other_forms": "With {served} {verdict}. Needed: {commands}, and cost and accuracy of {it} where you serve.",
    "served": "finalist {number} ({name}) as {form} ({cost} per 1,000 requests, {accuracy} on test, one seed{noisy})",
    # repeats
    "repeats": "About {count} of 100 repeats of the confirmation would end in the same verdict; 90 are asked for.",
    # at stake: a student that is refused
    "refused": "It is open whether finalist {number} ({name}){others} can {demand}; if so, {verdict}.",
    # at stake: the distilled pick, or the direct one
    "distilled": "Finalist {number} ({name}, distilled) may {better} than {chosen}. {unshown}",
    "accurate": "be up to {points} more accurate",
    "cheap": "cost up to {usd} less {per}",
    "savings": "Savings are preferred, and the direct pick is the cheaper one.",
    "no_twin": "It has no twin, so its gain from distilling is unknown. Needed: the same student trained without the "
    "teacher from as many seeds.",
    "gain": "Its gain from distilling is not shown ({interval}).",
    "advantage": "Its advantage over the direct pick is not shown to be enough ({interval}).",
    "direct": "The direct pick may be more accurate than the distilled one by up to {points}.",
    # at stake: a student that only a volume makes worth the change
    "unpaid": "Whether {name} (finalist {number}) pays for itself depends on the request volume: {clause}. Needed: "
    "{setting}.",
    "refused_unpaid": "It is open whether {name} (finalist {number}) can {demand}; if so, {clause}. Needed: {setting}.",
}
