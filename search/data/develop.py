"""From a drawn canvas to a picture: light, texture, sky, lens and sensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from search.data.labelled import Labels, Picture
from search.data.street import PAVEMENT, ROAD, SKY, Scene

Field = NDArray[np.float32]
"""One value for each pixel, of shape (height, width)."""

Pixels = NDArray[np.float32]
"""Red, green and blue of each pixel, of shape (height, width, 3)."""

GRAIN_TILE = 64
"""Side of the repeating tile of ground texture, in cells; the eye does not find the repetition at 4 cells a metre."""

CELLS_PER_M = 4.0


def develop(scene: Scene, generator: np.random.Generator) -> tuple[Picture, Labels]:
    """The picture and the labels of what was drawn.

    Args:
        scene: the drawn scene.
        generator: where texture and noise come from.

    Returns:
        uint8 arrays of shape (height, width, 3) and (height, width).
    """
    canvas, weather = scene.canvas, scene.weather
    surfaces = canvas.surfaces()
    labels = canvas.class_ids().take(surfaces)
    light = canvas.roughness().take(surfaces)
    light *= _grain(labels.shape, generator)
    light += 1
    ground = (labels == ROAD) | (labels == PAVEMENT)
    np.multiply(light, canvas.light() * _paving(scene, labels, generator), out=light, where=ground)
    colours = canvas.colours().take(surfaces, axis=0)
    _paint_sky(scene, colours, labels == SKY, generator)
    colours *= light[..., None]
    colours *= np.array(weather.tint, dtype=np.float32) * np.float32(weather.gain)
    exposed = np.clip(colours, 0, 255, out=colours).astype(np.uint8)
    return _photographed(scene, exposed, generator), labels


def _grain(shape: tuple[int, ...], generator: np.random.Generator) -> Field:
    """Fine and coarse variation of brightness around 0, with a standard deviation near 1."""
    fine = generator.standard_normal(shape, dtype=np.float32)
    return 0.7 * fine + 0.8 * _blotches(shape, 6, generator)


def _blotches(shape: tuple[int, ...], cell: int, generator: np.random.Generator) -> Field:
    """Smooth noise that changes over about ``cell`` pixels."""
    height, width = shape
    coarse = generator.standard_normal((height // cell + 2, width // cell + 2), dtype=np.float32)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))


def _paving(scene: Scene, labels: Labels, generator: np.random.Generator) -> Field:
    """Texture of the ground in perspective: gravel everywhere, joints between slabs on the pavement."""
    camera = scene.canvas.camera
    height, width = camera.size
    rows = np.arange(height, dtype=np.float32)[:, None] + 0.5 - camera.horizon * height
    ahead = np.minimum(camera.focal * camera.height_m / np.maximum(rows, 0.5), 200.0).astype(np.float32)
    columns = np.arange(width, dtype=np.float32)[None, :] + 0.5 - 0.5 * width
    right = (columns / camera.focal - camera.heading - camera.bend * ahead) * ahead + 400.0
    tile = generator.standard_normal((GRAIN_TILE, GRAIN_TILE), dtype=np.float32)
    cells = (right * CELLS_PER_M).astype(np.int32) % GRAIN_TILE
    texture: Field = 1.0 + 0.05 * tile[(ahead * CELLS_PER_M).astype(np.int32) % GRAIN_TILE, cells]
    if scene.dice.chance(0.6):
        slab = scene.dice.between(0.5, 1.2)
        joint = ((right % slab) < 0.08 * slab) | ((ahead % slab) < 0.1 * slab)
        # A joint that is narrower than a pixel would only flicker.
        seen = joint & (labels == PAVEMENT) & (ahead < 18.0)
        texture[seen] *= 0.75
    return texture


def _paint_sky(scene: Scene, colours: Pixels, sky: NDArray[np.bool_], generator: np.random.Generator) -> None:
    """A gradient from overhead to the horizon, and clouds, where there is sky; changes ``colours``."""
    height, width = scene.canvas.camera.size
    horizon = max(1.0, scene.canvas.camera.horizon * height)
    low = np.clip(np.arange(height, dtype=np.float32) / horizon, 0, 1)[:, None, None]
    gradient = low * np.array(scene.weather.sky_low, dtype=np.float32)
    gradient = gradient + (1 - low) * np.array(scene.weather.sky_high, dtype=np.float32)
    clouds = _blotches((height, width), max(2, height // 5), generator)
    whole = gradient + (scene.dice.between(0.0, 26.0) * clouds)[..., None]
    np.copyto(colours, whole, where=sky[..., None])


def _photographed(scene: Scene, exposed: Picture, generator: np.random.Generator) -> Picture:
    """Lens blur, which mixes colours at edges as a camera does, and sensor noise."""
    radius = scene.weather.blur * scene.canvas.camera.size[0]
    blurred = np.asarray(Image.fromarray(exposed).filter(ImageFilter.BoxBlur(radius)))
    noisy = generator.standard_normal(blurred.shape, dtype=np.float32)
    noisy *= np.float32(scene.weather.noise)
    noisy += blurred
    return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)
