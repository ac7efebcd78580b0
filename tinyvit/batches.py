"""The training batches: which images, in which order, augmented how; all from the seed."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from .augment import augment

ORDER, AUGMENT = 1, 2  # which random stream of a seed


class Batches:
    """All batches of a training, numbered from 0; any of them can be made without the others.

    Each epoch goes through the images in a new order; the last, incomplete batch is left out.

    images : (n, C, H, W) uint8
    labels : (n,) int
    batch_size : images a batch
    augmentation : an `Augmentation`
    seed : of the order and of the augmentation
    """

    def __init__(self, images, labels, batch_size, augmentation, seed):
        self.images, self.labels, self.augmentation = images, labels, augmentation
        self._batch_size = min(batch_size, len(images))
        self._seed = seed
        self._epoch, self._order = None, None
        self.steps_per_epoch = len(images) // self._batch_size

    def __getitem__(self, step):
        """Images (B, C, H, W) float32 and labels (B,) of a step."""
        chosen = self.rest_of_epoch(step)[0]
        rng = np.random.default_rng([self._seed, AUGMENT, step])
        return augment(self.images[chosen], rng, self.augmentation), self.labels[chosen]

    def rest_of_epoch(self, step):
        """Numbers (steps, B) of the images of a step, and of those after it in the same epoch."""
        epoch, i = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            rng = np.random.default_rng([self._seed, ORDER, epoch])
            self._epoch, self._order = epoch, rng.permutation(len(self.images))
        whole = self.steps_per_epoch * self._batch_size
        return self._order[:whole].reshape(-1, self._batch_size)[i:]

    def ahead(self, start, stop):
        """Yield the batches of steps start to stop - 1; the next is made while one is used."""
        with ThreadPoolExecutor(1) as pool:
            upcoming = pool.submit(self.__getitem__, start)
            for step in range(start, stop):
                batch = upcoming.result()
                if step + 1 < stop:
                    upcoming = pool.submit(self.__getitem__, step + 1)
                yield batch
