"""Batches: every image once, in an order and augmentation of (seed, epoch), prepared ahead and stopped cleanly."""

import threading

import numpy as np

from autoaug import augment
from autoaug.training import batches


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("augment")]


def test_an_epoch_is_the_plan_applied_in_order_from_any_batch_to_any_other(tiny_dataset, tiny_recipe):
    prepared = list(batches.of_epoch(tiny_dataset, tiny_recipe, seed=1, epoch=2))
    rng = augment.epoch_generator(1, 2)
    order = rng.permutation(128)
    plan = augment.sample_plan(rng, 128)
    expected = augment.augment_batch(tiny_dataset.train_images[order], plan, tiny_dataset.mean, tiny_dataset.std)
    assert len(prepared) == 4
    np.testing.assert_array_equal(np.concatenate([images for images, _ in prepared]), expected)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in prepared]), tiny_dataset.train_labels[order])
    ((images, labels),) = batches.of_epoch(tiny_dataset, tiny_recipe, 1, 2, start=2, stop=3)
    np.testing.assert_array_equal(images, prepared[2][0])
    np.testing.assert_array_equal(labels, prepared[2][1])
    assert not threads()


def test_seed_and_epoch_change_the_order_and_threads_do_not(tiny_dataset, tiny_recipe, monkeypatch):
    def first(seed, epoch, threads=2):
        monkeypatch.setattr(batches, "_THREADS", threads)
        return next(batches.of_epoch(tiny_dataset, tiny_recipe, seed, epoch))[0]

    np.testing.assert_array_equal(first(0, 0, 1), first(0, 0, 3))
    assert not np.array_equal(first(0, 0), first(0, 1)) and not np.array_equal(first(0, 0), first(1, 0))


def test_memory_is_bounded_and_an_early_end_leaves_no_thread(tiny_dataset, tiny_recipe, monkeypatch):
    begun = []
    monkeypatch.setattr(batches, "_AHEAD", 2)
    monkeypatch.setattr(batches.augment, "augment_batch", lambda images, *_: begun.append(1) or images)
    iterator = batches.of_epoch(tiny_dataset, tiny_recipe, seed=0, epoch=0)
    next(iterator)
    iterator.close()
    assert len(begun) in (1, 2)
    assert not threads()
