"""The original's arithmetic, quirks and all, written down independently of the package: what compat has to repeat."""

import numpy as np


def without_frame(image, width):
    """A copy whose outer rows and columns are 0; the size stays."""
    rows, columns = image.shape
    copy = image.copy()
    copy[0:width, :] = 0
    copy[rows - width : rows, :] = 0
    copy[:, 0:width] = 0
    copy[:, columns - width : columns] = 0
    return copy


def change_of_difference(moving, registered, fixed, crop=0):
    if crop != 0:
        moving, registered, fixed = (without_frame(image, crop) for image in (moving, registered, fixed))
    before = np.abs(moving.astype(int) - fixed.astype(int))
    after = np.abs(registered.astype(int) - fixed.astype(int))
    return before - after


def frame_score(moving, registered, fixed, tol=50, crop=0):
    """(share that got better, number that changed); (.5, 0) if none did."""
    change = change_of_difference(moving, registered, fixed, crop)
    changed = change[np.abs(change) > tol]
    if len(changed) == 0:
        return 0.5, 0
    return len(np.where(changed > tol)[0]) / len(changed), len(changed)


def block_score(moving, registered, fixed, tol, crop):
    """The score over fifths of the height, each with the fixed image moved to the moving image's mean."""
    side = (moving.shape[0] - 2 * crop) // 5
    moving, registered, fixed = (
        without_frame(image, crop).astype(int)[crop : image.shape[0] - crop, crop : image.shape[0] - crop]
        for image in (moving, registered, fixed)
    )
    scores, counts = [], []
    for top in range(0, moving.shape[0] - side + 1, side):
        for left in range(0, moving.shape[1] - side + 1, side):
            place = slice(top, top + side), slice(left, left + side)
            target = fixed[place] - int(np.round(fixed[place].mean() - moving[place].mean()))
            score, count = frame_score(moving[place], registered[place], np.clip(target, 0, 255), tol=tol)
            scores.append(score)
            counts.append(count)
    scores, counts = np.array(scores), np.array(counts)
    if counts.sum() < 100:
        return 0.5, 0
    scores[counts < 20] = 0.5
    counts[counts < 20] = 0
    if counts.sum() == 0:
        return 0.5, 0
    return np.average(scores, weights=counts), counts.sum()


def contrast(image, window=50):
    """(mean contrast of the windows, variation of their brightness, variation of their contrast)."""
    means, deviations = [], []
    for top in range(0, image.shape[0] - window, window):
        for left in range(0, image.shape[1] - window, window):
            part = image[top : top + window, left : left + window]
            means.append(part.mean())
            deviations.append(part.std())
    return np.array(deviations).mean(), np.array(means).std(), np.array(deviations).std()


def tolerance(image):
    return contrast(image)[0] * 1.12 + 1.88
