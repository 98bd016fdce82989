"""The audit from its equations, one example and one class at a time: slow and obvious, for tests."""

import itertools
import math
from collections import Counter

from scipy import stats


def shared_modal(answers):
    votes = Counter(answers)
    return {a for a, n in votes.items() if n == max(votes.values())}


def pie(before, after):
    return not (shared_modal(before) & shared_modal(after))


def pie_highest(before, after):
    return max(shared_modal(before)) != max(shared_modal(after))


def taxicab(before, after):
    names = set(before) | set(after)
    return sum(abs(before.count(c) / len(before) - after.count(c) / len(after)) for c in names)


def flips(before, after, label, pairs):
    """Shares of pairs of models: (alike, right to wrong, wrong to right, wrong to wrong, of no known kind)."""
    found = [0, 0, 0, 0, 0]
    for k, m in pairs:
        a, b = before[k], after[m]
        if a == b:
            found[0] += 1
        elif label is None:
            found[4] += 1
        elif a == label:
            found[1] += 1
        elif b == label:
            found[2] += 1
        else:
            found[3] += 1
    return [x / len(pairs) for x in found]


def all_pairs(k0, k1):
    return list(itertools.product(range(k0), range(k1)))


def kl(before, after):
    """Of two rows of probabilities, in nats."""
    return sum(p * math.log(p / q) for p, q in zip(before, after, strict=True) if p)


def mean(values):
    return sum(values) / len(values)


def variance(values):
    return sum((v - mean(values)) ** 2 for v in values) / (len(values) - 1)


def recall(answers, labels, part):
    return mean([answers[i] == labels[i] for i in part])


def relative_recalls(side, labels, part, labelled):
    return [recall(a, labels, part) - recall(a, labels, labelled) for a in side]


def welch(before, after, grain):
    """(change, t, degrees of freedom, p)"""
    s0 = (variance(before) + grain**2 / 12) / len(before)
    s1 = (variance(after) + grain**2 / 12) / len(after)
    change = mean(after) - mean(before)
    if change == 0:
        return 0.0, 0.0, None, 1.0
    t = change / math.sqrt(s0 + s1)
    freedom = (s0 + s1) ** 2 / (s0**2 / (len(before) - 1) + s1**2 / (len(after) - 1))
    return change, t, freedom, 2 * stats.t.sf(abs(t), freedom)


def mcnemar(lost, won):
    n = lost + won
    tail = sum(math.comb(n, k) for k in range(min(lost, won) + 1)) / 2**n
    return min(1.0, 2 * tail)


def flip_chances(lost, won, n, change):
    """The likeliest (loss, win) whose difference is `change`, by a search over all."""
    low, high = max(0.0, -change), min(1.0, (1 - change) / 2)

    def log_likelihood(loss):
        win, same = loss + change, 1 - 2 * loss - change
        return sum(
            0.0 if count == 0 else count * math.log(chance) if chance > 0 else -math.inf
            for count, chance in ((lost, loss), (won, win), (n - lost - won, same))
        )

    for _ in range(70):
        third = (high - low) / 3
        if log_likelihood(low + third) < log_likelihood(high - third):
            low += third
        else:
            high -= third
    loss = (low + high) / 2
    return loss, loss + change


def binomial_two_sided(count, trials, chance):
    def mass(k):
        return math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k)

    below = sum(mass(k) for k in range(count + 1))
    above = sum(mass(k) for k in range(count, trials + 1))
    return min(1.0, 2 * below, 2 * above)


def relative_change(lost, won, n, total):
    """(relative change, z, p) of a part against the whole, one model a side."""
    rest = [t - x for t, x in zip(total, (lost, won, n), strict=True)]
    whole = (total[1] - total[0]) / total[2]
    own, other = (won - lost) / n, (rest[1] - rest[0]) / rest[2]
    spread = 0.0
    for a, b, m in ((lost, won, n), rest):
        loss, win = flip_chances(a, b, m, whole)
        spread += (loss + win - whole**2) / m
    z = 0.0 if math.isclose(own, other, abs_tol=1e-12) else (own - other) / math.sqrt(spread)
    loss, win = flip_chances(lost, won, n, whole)
    exact = binomial_two_sided(lost, lost + won, loss / (loss + win) if loss + win > 1e-12 else 0.5)
    return own - whole, z, max(2 * stats.norm.sf(abs(z)), exact)


def benjamini_hochberg(p):
    n = len(p)
    return [min([1.0] + [x * n / sum(y <= x for y in p) for x in p if x >= own]) for own in p]


def fisher(right0, k0, right1, k1):
    return stats.fisher_exact([[right0, k0 - right0], [right1, k1 - right1]]).pvalue


def one_against_several(one, several, grain, sign):
    """(change, t, degrees of freedom, p); sign: +1 where the single model is the one after."""
    change = sign * (one - mean(several))
    if change == 0:
        return 0.0, 0.0, None, 1.0
    k = len(several)
    t = change / math.sqrt((variance(several) + grain**2 / 12) * (1 + 1 / k))
    return change, t, k - 1, 2 * stats.t.sf(abs(t), k - 1)


def paired_t(before, after, grain):
    differences = [b - a for a, b in zip(before, after, strict=True)]
    change, k = mean(differences), len(differences)
    if change == 0:
        return 0.0, 0.0, None, 1.0
    t = change / math.sqrt((variance(differences) + grain**2 / 6) / k)
    return change, t, k - 1, 2 * stats.t.sf(abs(t), k - 1)


def change_of_values(before, after, grain, paired):
    """The test of one number a model."""
    if paired and len(before) > 1:
        return paired_t(before, after, grain)
    if len(before) == 1:
        return one_against_several(before[0], after, grain, -1)
    if len(after) == 1:
        return one_against_several(after[0], before, grain, 1)
    return welch(before, after, grain)


def parts(before, after, labels, codes, paired):
    """{part: (n, relative change, p or None, lost and won with one model a side)} of all examples with a label."""
    labelled = [i for i, y in enumerate(labels) if y >= 0]
    found = {}
    for part in sorted({c for c in codes if c >= 0}):
        rows = [i for i in labelled if codes[i] == part]
        if not rows:
            found[part] = (0, None, None)
            continue
        if len(before) == len(after) == 1:
            total = flip_counts(before[0], after[0], labels, labelled)
            own = flip_counts(before[0], after[0], labels, rows)
            if len(rows) == len(labelled):
                found[part] = (len(rows), None, None)
                continue
            relative, _, p = relative_change(*own, total)
        elif len(rows) == len(labelled):
            found[part] = (len(rows), None, None)
            continue
        else:
            relative, _, _, p = change_of_values(
                relative_recalls(before, labels, rows, labelled),
                relative_recalls(after, labels, rows, labelled),
                1 / len(rows),
                paired,
            )
        found[part] = (len(rows), relative, p)
    return found


def flip_counts(a, b, labels, rows):
    """(lost, won, n)"""
    lost = sum(a[i] == labels[i] != b[i] for i in rows)
    won = sum(b[i] == labels[i] != a[i] for i in rows)
    return lost, won, len(rows)
