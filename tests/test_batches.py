"""The batches: all from the seed, every image once an epoch, any of them without the others."""

import numpy as np
import pytest

from tinyvit.augment import Augmentation
from tinyvit.batches import Batches
from tinyvit.data import normalize

NONE, SOME = Augmentation(), Augmentation(shift=1.0, rotate=10.0, elastic=0.5)
LABELS = np.arange(23)
IMAGES = np.broadcast_to((LABELS * 10).astype(np.uint8)[:, None, None, None], (23, 1, 4, 4))


def batches(augmentation=NONE, seed=0, size=5):
    return Batches(IMAGES, LABELS, size, augmentation, seed)


def order(made, epoch):
    steps = range(epoch * made.steps_per_epoch, (epoch + 1) * made.steps_per_epoch)
    return np.concatenate([made[step][1] for step in steps])


def same(a, b):
    return a[0].tobytes() == b[0].tobytes() and a[1].tobytes() == b[1].tobytes()


def test_an_epoch_shows_every_image_at_most_once_and_drops_only_the_rest():
    made = batches()
    assert made.steps_per_epoch == 4
    for epoch in range(3):
        seen = order(made, epoch)
        assert len(seen) == len(set(seen)) == 20
    whole = batches(size=23)
    assert sorted(order(whole, 0)) == sorted(order(whole, 5)) == list(range(23))


def test_the_order_depends_on_seed_and_epoch():
    orders = {tuple(order(batches(seed=seed), epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9
    assert (order(batches(seed=1), 2) == order(batches(seed=1), 2)).all()


def test_images_and_labels_stay_together_and_are_normalised():
    for step in range(9):
        images, labels = batches()[step]
        assert images.shape == (5, 1, 4, 4) and images.dtype == np.float32
        np.testing.assert_array_equal(images, normalize(IMAGES[labels]))


@pytest.mark.parametrize("augmentation", [NONE, SOME])
def test_any_batch_can_be_made_alone(augmentation):
    made = batches(augmentation)
    in_order = [made[step] for step in range(12)]
    for step in (11, 0, 5, 4, 5, 3):
        assert same(batches(augmentation)[step], in_order[step])
        assert same(made[step], in_order[step])


def test_augmentation_depends_on_the_seed_and_on_the_step():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (1, 1, 8, 8), dtype=np.uint8).repeat(6, axis=0)
    drawn = []
    for seed in (0, 1):
        made = Batches(images, np.zeros(6, int), 3, SOME, seed)
        drawn += [image.tobytes() for step in range(4) for image in made[step][0]]
    assert len(set(drawn)) == 24


@pytest.mark.parametrize("start, stop", [(0, 9), (3, 4), (7, 13), (5, 5)])
def test_ahead_is_the_same_as_one_by_one(start, stop):
    ahead = list(batches(SOME).ahead(start, stop))
    assert len(ahead) == stop - start
    for step, batch in zip(range(start, stop), ahead, strict=True):
        assert same(batch, batches(SOME)[step])


def test_ahead_can_be_left_early_and_passes_errors_on():
    for _ in batches().ahead(0, 10**9):
        break
    broken = Batches(IMAGES, LABELS[:3], 5, NONE, 0)
    with pytest.raises(IndexError):
        list(broken.ahead(0, 4))


def test_a_batch_larger_than_the_data_is_the_data():
    made = batches(size=1000)
    assert made.steps_per_epoch == 1
    assert sorted(made[3][1]) == list(range(23))


def test_nothing_that_was_given_changes():
    images, labels = IMAGES.copy(), LABELS.copy()
    list(Batches(images, labels, 5, SOME, 0).ahead(0, 8))
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
