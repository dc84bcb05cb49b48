"""How a file looks in a notebook: plain HTML and SVG, no script, readable on light and dark pages."""

from __future__ import annotations

from html import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kompakt._compress import Compressed
    from kompakt._file import File

# From a palette that colour-blind people can distinguish.
_COLOURS = {"map": "#56b4e9", "codes": "#0072b2", "numbers": "#e69f00", "overhead": "#999999"}
_WIDTH = 320
_MOST_LAYERS = 60


def page(file: File) -> str:
    """A table of the layers with a bar of bytes and the centroids of each."""
    layers = file.layers
    largest = max((layer["bytes"] for layer in layers), default=1) or 1
    rows = "".join(_row(file, layer, largest) for layer in layers[:_MOST_LAYERS])
    if len(layers) > _MOST_LAYERS:
        rows += f'<tr><td colspan="6">… and {len(layers) - _MOST_LAYERS} more</td></tr>'
    others = sum(other["bytes"] for other in file.about["others"])
    ratio = f", <b>{file.ratio:.1f}</b> times smaller than dense float32" if file.ratio else ""
    inputs = ", ".join(f"{escape(i['name'])} {_shape(i['shape'])}" for i in file.about["inputs"])
    legend = " ".join(
        f'<span style="white-space:nowrap"><span style="display:inline-block;width:.8em;height:.8em;background:{colour}">'
        f"</span>&nbsp;{kind}</span>"
        for kind, colour in _COLOURS.items()
    )
    cell = "padding:2px 10px;text-align:left;white-space:nowrap"
    heads = "".join(
        f'<th style="{cell}">{head}</th>' for head in ("tensor", "shape", "kept", "levels", "bytes", "centroids")
    )
    return (
        f'<div style="font-family:sans-serif;font-size:13px;line-height:1.5;margin-top:6px">'
        f"<div><b>{file.n_bytes:,}</b> bytes{ratio}; tier <code>{escape(file.tier)}</code>; content "
        f"<code>{escape(file.content_hash)}</code></div>"
        f"<div>takes {inputs}; {legend}; {others:,} bytes are no tensor's (graph, names, history)</div>"
        f'<table style="border-collapse:collapse;margin-top:6px;font-size:inherit"><tr>{heads}</tr>{rows}</table></div>'
    )


def result(made: Compressed) -> str:
    """What was reached, the sensitivity of each layer, and the file."""
    facts = [f"<b>{made.n_bytes:,}</b> bytes, <b>{made.ratio:.1f}</b> times smaller", f"summed error {made.noise:.4f}"]
    if made.accuracy is not None and made.agreement is not None and made.drop_bound is not None:
        before, after = made.accuracy
        facts.append(
            f"accuracy {100 * before:.2f} % before, {100 * after:.2f} % after, on {made.n_judged:,} images; the same answer on "
            f"{100 * made.agreement:.2f} %; at most {100 * made.drop_bound:.2f} points lost on others (95 % confidence)"
        )
    if made.figure is not None:
        facts.append(f"{made.figure:.6g} against the original on {made.n_judged:,} images")
    largest = max((layer.get("sensitivity") or 0.0 for layer in made.layers), default=0.0) or 1.0
    cell = 'style="padding:2px 10px;text-align:left;white-space:nowrap"'
    rows = "".join(
        f"<tr><td {cell}>{escape(layer['name'])}</td><td {cell}>{_sensitivity(layer, largest)}</td>"
        f"<td {cell}>{layer['bits_per_weight']:.2f}</td><td {cell}>{layer['error']:.5f}</td></tr>"
        for layer in made.layers[:_MOST_LAYERS]
    )
    heads = "".join(f"<th {cell}>{head}</th>" for head in ("layer", "sensitivity", "bits/weight", "error"))
    return (
        f'<div style="font-family:sans-serif;font-size:13px;line-height:1.5"><div>{"; ".join(facts)}</div>'
        f'<table style="border-collapse:collapse;margin-top:6px;font-size:inherit"><tr>{heads}</tr>{rows}</table></div>'
        + page(made.open())
    )


def _sensitivity(layer: dict[str, Any], largest: float) -> str:
    value = layer.get("sensitivity")
    if value is None:
        return "–"
    width = 120 * value / largest
    return (
        f'<svg width="180" height="14" role="img" aria-label="{value:.4g}"><rect width="{width:.1f}" height="12" '
        f'fill="#009e73"/><text x="{width + 5:.1f}" y="11" font-size="11" fill="currentColor">{value:.3g}</text></svg>'
    )


def _row(file: File, layer: dict[str, Any], largest: int) -> str:
    cell = 'style="padding:2px 10px;text-align:left;white-space:nowrap"'
    return (
        f"<tr><td {cell}>{escape(layer['name'])}</td><td {cell}>{_shape(layer['shape'])}</td>"
        f"<td {cell}>{100 * layer['density']:.1f} %</td><td {cell}>{layer['levels'] or '–'}</td>"
        f"<td {cell}>{_bar(layer, largest)}</td><td {cell}>{_centroids(file, layer)}</td></tr>"
    )


def _bar(layer: dict[str, Any], largest: int) -> str:
    left, parts = 0.0, []
    for kind, colour in _COLOURS.items():
        width = _WIDTH * (layer[f"{kind}_bytes"] or 0) / largest
        if width == 0:
            continue
        title = f"<title>{kind}: {layer[f'{kind}_bytes'] or 0:,} bytes</title>"
        parts.append(f'<rect x="{left:.1f}" width="{width:.1f}" height="12" fill="{colour}">{title}</rect>')
        left += width
    return (
        f'<svg width="{_WIDTH + 80}" height="14" role="img" aria-label="{layer["bytes"]:,} bytes">{"".join(parts)}'
        f'<text x="{left + 5:.1f}" y="11" font-size="11" fill="currentColor">{layer["bytes"]:,}</text></svg>'
    )


def _centroids(file: File, layer: dict[str, Any]) -> str:
    """A tick for each centroid between the smallest and the largest, zero marked."""
    if not layer["levels"]:
        return "–"
    book = file.codebook(layer["name"])
    reach = float(abs(book).max()) or 1.0
    # Centroids that are drawn at one place are one tick.
    places = dict.fromkeys(f"{60 + 58 * float(v) / reach:.1f}" for v in book)
    ticks = f'<path d="{"".join(f"M{place} 1v12" for place in places)}" stroke="#0072b2" stroke-width="1.2"/>'
    zero = '<line x1="60" x2="60" y1="0" y2="14" stroke="#d55e00" stroke-width="1" stroke-dasharray="2 2"/>'
    label = f"{len(book)} centroids from {float(book.min()):.4g} to {float(book.max()):.4g}"
    return (
        f'<svg width="120" height="14" role="img" aria-label="{label}"><title>{label}</title>'
        f'<line x1="2" x2="118" y1="7" y2="7" stroke="currentColor" stroke-opacity=".3"/>{ticks}{zero}</svg>'
    )


def _shape(shape: list[int]) -> str:
    return "×".join(map(str, shape))
