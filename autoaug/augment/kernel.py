"""The 15 augmentation operations, compiled: what Pillow 13.0.0 computes on x86-64, bit for bit, on 32×32 RGBA images.

An image (`pixels`) is uint32 [1024], row by row; a pixel is red | green << 8 | blue << 16 | alpha << 24, with alpha 0
or 255. Operations that map each value by itself change a `table`, uint8 [3, 256], which is applied once, as late as
possible. `factor` is float, `level` an integer 0…9. Types stand in docstrings, because numba compiles these functions.

All compiled functions are in this file, because numba's cache on disk notices only changes in the file of the function
that it compiled. Numba compiles at the first call and keeps the result beside this file; if that folder is read-only,
in the user's cache folder, or the one that the environment variable NUMBA_CACHE_DIR names; else nowhere.
"""

import functools

import numba
import numpy as np

from autoaug.augment.policies import LEVELS, Operation

SIDE = 32
AREA = SIDE * SIDE
PADDING = 4  # pixels on each side before the crop
FINAL_CUTOUT = 16  # side of the square cut out last, in pixels

_OPAQUE = np.uint32(0xFF000000)
_CUTOUT_COLOR = np.uint32(125 | 122 << 8 | 113 << 16)  # alpha 0
_WITHOUT_PIXELS = (Operation.Invert, Operation.Posterize, Operation.Solarize, Operation.Brightness)
_ENHANCE_FACTORS = np.array([level * 1.8 / 10 + 0.1 for level in range(LEVELS)]).astype(np.float32)

_OPTIONS = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}  # nothing calls them from C


def _compiled(function, **more):
    """The function, compiled at its first call."""
    try:
        return numba.njit(cache=True, **_OPTIONS, **more)(function)
    except RuntimeError:  # numba finds no folder for its cache
        return numba.njit(**_OPTIONS, **more)(function)


_inlined = functools.partial(_compiled, inline="always")  # a part of its caller, which then compiles sooner


@_compiled
def geometric(pixels, sources):
    """Image.transform(AFFINE, nearest) and Image.rotate, from `sources` int16 [1024]; outside is transparent black."""
    original = np.empty(AREA + 1, np.uint32)
    for i in range(AREA):  # numba takes two seconds more to compile a slice
        original[i] = pixels[i]
    original[AREA] = 0
    for i in range(AREA):
        pixels[i] = original[sources[i]]


@_compiled
def auto_contrast(pixels, table):
    """ImageOps.autocontrast: stretches each channel to 0…255."""
    for channel in range(3):
        shift = np.uint32(8 * channel)
        low, high = np.uint32(255), np.uint32(0)
        for i in range(AREA):
            value = np.uint32((pixels[i] >> shift) & np.uint32(255))
            low, high = min(low, value), max(high, value)
        if high > low:
            scale = 255.0 / (high - low)
            offset = -np.float64(low) * scale
            for value in range(256):
                table[channel, value] = min(max(np.int32(value * scale + offset), 0), 255)


@_compiled
def equalize(pixels, table):
    """ImageOps.equalize: makes each channel's histogram flat."""
    counts = np.zeros((3, 256), np.int32)
    for i in range(AREA):
        pixel = pixels[i]
        counts[0, pixel & 255] += 1
        counts[1, (pixel >> 8) & 255] += 1
        counts[2, (pixel >> 16) & 255] += 1
    for channel in range(3):
        last = 255
        while counts[channel, last] == 0:
            last -= 1
        step = (AREA - counts[channel, last]) // 255
        if step > 0:  # 1…4
            reciprocal = 65536 // step + 1  # sum // step without a division: exact for sums this small
            total = step // 2
            for value in range(256):
                table[channel, value] = min((total * reciprocal) >> 16, 255)
                total += counts[channel, value]


@_compiled
def posterize(table, level):
    """ImageOps.posterize, keeping 4 − int(4·level/10) bits."""
    mask = 256 - (1 << (4 + level * 4 // 10))
    for channel in range(3):
        for value in range(256):
            table[channel, value] &= mask


@_compiled
def solarize(table, threshold):
    """ImageOps.solarize; with threshold 0 it is ImageOps.invert."""
    for channel in range(3):
        for value in range(256):
            if table[channel, value] >= threshold:
                table[channel, value] = 255 - table[channel, value]


@_compiled
def _blend(degenerate, value, factor):
    """Image.blend of one value: float32 arithmetic, clipped, then truncated."""
    start = np.float32(np.int32(degenerate))
    mixed = start + factor * (np.float32(np.int32(value)) - start)
    return np.uint32(np.int32(min(max(mixed, np.float32(0)), np.float32(255))))


@_compiled
def _grey(pixel):
    """Image.convert("L") of one pixel: 0.299 red + 0.587 green + 0.114 blue in 16-bit fixed point."""
    red, green, blue = pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255
    return np.uint32((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16)


@_compiled
def color(pixels, factor):
    """ImageEnhance.Color: between the image's grey version and the image."""
    for i in range(AREA):
        pixel = pixels[i]
        grey = _grey(pixel)
        red = _blend(grey, pixel & 255, factor)
        green = _blend(grey, (pixel >> 8) & 255, factor)
        blue = _blend(grey, (pixel >> 16) & 255, factor)
        pixels[i] = red | green << 8 | blue << 16 | (pixel & _OPAQUE)


@_compiled
def mean_grey(pixels):
    """The image's mean grey, rounded."""
    total = np.uint32(0)
    for i in range(AREA):
        total += _grey(pixels[i])
    return (total + AREA // 2) // AREA


@_compiled
def enhance(table, grey, factor):
    """ImageEnhance.Contrast, between the image's mean grey and the image, and Brightness, between black and it."""
    for channel in range(3):
        for value in range(256):
            table[channel, value] = _blend(grey, table[channel, value], factor)


@_compiled
def sharpness(pixels, factor):
    """ImageEnhance.Sharpness: between ImageFilter.SMOOTH (3×3, centre 5, sum 13; borders stay) and the image."""
    original = pixels.copy()
    for row in range(1, SIDE - 1):
        for i in range(row * SIDE + 1, row * SIDE + SIDE - 1):
            center = original[i]
            sharpened = center & _OPAQUE
            for shift in (0, 8, 16):
                total = np.uint32(6) + 4 * ((center >> shift) & 255)
                for neighbor in (i - SIDE, i, i + SIDE):
                    for source in (neighbor - 1, neighbor, neighbor + 1):
                        total += (original[source] >> shift) & 255
                # Pillow sums in float32 and rounds; a thirteenth is never near a half, so integers give the same.
                sharpened |= _blend(total // 13, (center >> shift) & 255, factor) << shift
            pixels[i] = sharpened


@_compiled
def cutout(pixels, level, center_column, center_row):
    """A square of side int(20·level/10) in the mean colour of CIFAR-10, transparent, clipped at the border."""
    for row in range(max(center_row - level, 0), min(center_row + level, SIDE)):
        for column in range(max(center_column - level, 0), min(center_column + level, SIDE)):
            pixels[row * SIDE + column] = _CUTOUT_COLOR


@_compiled
def apply_table(pixels, table):
    """Image.point: maps each channel by its row of `table`, and keeps alpha."""
    for i in range(AREA):
        pixel = pixels[i]
        red, green, blue = table[0, pixel & 255], table[1, (pixel >> 8) & 255], table[2, (pixel >> 16) & 255]
        pixels[i] = np.uint32(red) | np.uint32(green) << 8 | np.uint32(blue) << 16 | (pixel & _OPAQUE)


@_inlined
def apply_steps(pixels, table, steps, sources):
    """Applies the steps that act, in order; returns whether `table` still has to be applied.

    Args: pixels uint32 [1024]; table uint8 [3, 256]; steps augment.STEP [k]; sources from `geometric_sources`.
    """
    pending = False
    for step in steps:
        if step.acts:
            if pending and step.operation not in _WITHOUT_PIXELS:
                apply_table(pixels, table)
                pending = False
            if not pending:
                for channel in range(3):
                    for value in range(256):
                        table[channel, value] = value
            pending = _apply_step(pixels, table, step, sources)
    return pending


@_inlined
def _apply_step(pixels, table, step, sources):
    """Applies one step to the pixels, or to the table; returns whether it was the table."""
    operation, level, factor = step.operation, step.level, _ENHANCE_FACTORS[step.level]
    if operation <= Operation.Rotate:
        geometric(pixels, sources[operation, level, np.int64(step.negate)])
    elif operation == Operation.AutoContrast:
        auto_contrast(pixels, table)
    elif operation == Operation.Equalize:
        equalize(pixels, table)
    elif operation == Operation.Invert:
        solarize(table, 0)
    elif operation == Operation.Posterize:
        posterize(table, level)
    elif operation == Operation.Solarize:
        solarize(table, 256 - level * 256 // 10)
    elif operation == Operation.Color:
        color(pixels, factor)
    elif operation == Operation.Contrast:
        enhance(table, mean_grey(pixels), factor)
    elif operation == Operation.Brightness:
        enhance(table, 0, factor)
    elif operation == Operation.Sharpness:
        sharpness(pixels, factor)
    else:
        cutout(pixels, level, step.center_column, step.center_row)
    on_rgb = Operation.AutoContrast <= operation <= Operation.Solarize
    if on_rgb:  # conversion to RGB and back makes every pixel opaque
        for i in range(AREA):
            pixels[i] |= _OPAQUE
    return on_rgb or operation == Operation.Contrast or operation == Operation.Brightness


@_compiled
def pack(image, pixels):
    """uint8 [1024, 3] to uint32 [1024], opaque."""
    for i in range(AREA):
        red, green, blue = image[i, 0], image[i, 1], image[i, 2]
        pixels[i] = np.uint32(red) | np.uint32(green) << 8 | np.uint32(blue) << 16 | _OPAQUE


@_compiled
def write(pixels, values, plan, output):
    """Crops, flips and cuts out as planned; writes the `values`, float32 [3, 256], of opaque pixels and 0 elsewhere."""
    half = FINAL_CUTOUT // 2
    cut_left, cut_right = plan.cutout_column - half, plan.cutout_column + half
    for row in range(SIDE):
        source_row = row + plan.crop_row - PADDING
        cut_row = plan.cutout_row - half <= row < plan.cutout_row + half
        for column in range(SIDE):
            source_column = (SIDE - 1 - column if plan.flip else column) + plan.crop_column - PADDING
            inside = 0 <= source_row < SIDE and 0 <= source_column < SIDE
            if inside and not (cut_row and cut_left <= column < cut_right):
                pixel = pixels[source_row * SIDE + source_column]
                if pixel & _OPAQUE:
                    output[row, column, 0] = values[0, pixel & 255]
                    output[row, column, 1] = values[1, (pixel >> 8) & 255]
                    output[row, column, 2] = values[2, (pixel >> 16) & 255]
                    continue
            output[row, column, 0] = output[row, column, 1] = output[row, column, 2] = 0


@_compiled
def augment_images(images, steps, plan, normalization, sources, out):
    """uint8 [n, 1024, 3] to float32 [n, 32, 32, 3]; `steps` [n, 2] are the plan's, `normalization` float32 [3, 256]."""
    pixels = np.empty(AREA, np.uint32)
    table = np.empty((3, 256), np.uint8)
    composed = np.empty((3, 256), np.float32)
    for n in range(len(images)):
        pack(images[n], pixels)
        if apply_steps(pixels, table, steps[n], sources):
            for channel in range(3):
                for value in range(256):
                    composed[channel, value] = normalization[channel, table[channel, value]]
            write(pixels, composed, plan[n], out[n])
        else:
            write(pixels, normalization, plan[n], out[n])
