"""The augmentation in Pillow and NumPy: what the compiled kernel must equal, and the lean loop that it is timed by."""

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from autoaug.augment import policies


def photograph(rng):
    """Smooth shapes with a little noise: three octaves of enlarged random squares."""
    octaves = (rng.normal(size=(side, side, 3)).repeat(32 // side, 0).repeat(32 // side, 1) for side in (2, 8, 32))
    values = sum(weight * octave for weight, octave in zip((50, 20, 5), octaves, strict=True))
    return np.clip(128 + values, 0, 255)


def _affine(picture, *numbers):
    return picture.transform(picture.size, Image.Transform.AFFINE, numbers)


def _on_rgb(operation):
    return lambda picture, *arguments: operation(picture.convert("RGB"), *arguments).convert("RGBA")


def _cutout(picture, size, column, row):
    left, top = max(column - size // 2, 0), max(row - size // 2, 0)
    picture = picture.copy()
    if size:
        picture.paste((125, 122, 113, 0), (left, top, min(column + size // 2, 32), min(row + size // 2, 32)))
    return picture


_GEOMETRIC = {
    "ShearX": lambda picture, level: _affine(picture, 1, level * 0.3 / 10, 0, 0, 1, 0),
    "ShearY": lambda picture, level: _affine(picture, 1, 0, 0, level * 0.3 / 10, 1, 0),
    "TranslateX": lambda picture, level: _affine(picture, 1, 0, int(level * 10 / 10), 0, 1, 0),
    "TranslateY": lambda picture, level: _affine(picture, 1, 0, 0, 0, 1, int(level * 10 / 10)),
    "Rotate": lambda picture, level: picture.rotate(int(level * 30 / 10)),
}
_OTHER = {
    "AutoContrast": lambda picture, level: _on_rgb(ImageOps.autocontrast)(picture),
    "Equalize": lambda picture, level: _on_rgb(ImageOps.equalize)(picture),
    "Invert": lambda picture, level: _on_rgb(ImageOps.invert)(picture),
    "Posterize": lambda picture, level: _on_rgb(ImageOps.posterize)(picture, 4 - int(level * 4 / 10)),
    "Solarize": lambda picture, level: _on_rgb(ImageOps.solarize)(picture, 256 - int(level * 256 / 10)),
    "Color": lambda picture, level: ImageEnhance.Color(picture).enhance(level * 1.8 / 10 + 0.1),
    "Contrast": lambda picture, level: ImageEnhance.Contrast(picture).enhance(level * 1.8 / 10 + 0.1),
    "Brightness": lambda picture, level: ImageEnhance.Brightness(picture).enhance(level * 1.8 / 10 + 0.1),
    "Sharpness": lambda picture, level: ImageEnhance.Sharpness(picture).enhance(level * 1.8 / 10 + 0.1),
}


def apply_with_pillow(image, operations):
    """Like `augment.apply_operations`, but returns RGBA, uint8 [32, 32, 4]."""
    picture = Image.fromarray(image).convert("RGBA")
    for operation in operations:
        name, level = operation["op"], operation["level"]
        if name in _GEOMETRIC:
            picture = _GEOMETRIC[name](picture, -level if operation["negate"] else level)
        elif name == "Cutout":
            picture = _cutout(picture, int(level * 20 / 10), *operation["center"])
        else:
            picture = _OTHER[name](picture, level)
    return np.asarray(picture)


def augment_with_pillow(image, choices, mean, std):
    """One image by one row of a plan, float32 [32, 32, 3]."""
    operations = [
        {
            "op": policies.Operation(step["operation"]).name,
            "level": int(step["level"]),
            "negate": bool(step["negate"]),
            "center": (int(step["center_column"]), int(step["center_row"])),
        }
        for step in choices["steps"]
        if step["acts"]
    ]
    picture = apply_with_pillow(image, operations)
    normalized = picture[..., :3] / 255
    normalized -= mean
    normalized /= std
    normalized[picture[..., 3] == 0] = 0
    padded = np.zeros((40, 40, 3), np.float32)
    padded[4:36, 4:36] = normalized
    top, left, row, column = (choices[name] for name in ("crop_row", "crop_column", "cutout_row", "cutout_column"))
    output = padded[top : top + 32, left : left + 32]
    if choices["flip"]:
        output = output[:, ::-1]
    output = output.copy()
    output[max(row - 8, 0) : row + 8, max(column - 8, 0) : column + 8] = 0
    return output
