"""A page and a picture that show results: both stand alone, without a request to any network."""

import base64
import html

from sodkeras.files import whole_file

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
  table {{ border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }}
  th, td {{ border-bottom: 1px solid #ccc; padding: .3rem .8rem; text-align: left; }}
  .row {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(var(--width), 100%), 1fr)); gap: .5rem; }}
  figure {{ margin: 0; }}
  img {{ width: 100%; background: repeating-conic-gradient(#ddd 0 25%, #fff 0 50%) 0 0/20px 20px; }}
  figcaption {{ font-size: .85rem; color: #555; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def paragraph(text):
    """A paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def bullets(texts):
    """A list of plain texts."""
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>"


def heading(text):
    """A section's heading."""
    return f"<h2>{html.escape(text)}</h2>"


def table(rows, headers):
    """A table of plain values."""
    from tabulate import tabulate

    return tabulate(rows, headers=headers, tablefmt="html", disable_numparse=True)


def details(summary, part):
    """A part that shows when its summary is clicked."""
    return f"<details><summary>{html.escape(summary)}</summary>{part}</details>"


def figures(pictures, width="10rem"):
    """A row of pictures.

    Args:
        pictures: `(caption, image file's bytes, MIME type)` for each.
        width: of a picture at least, in CSS units; they grow until the row is full.
    """
    cells = [
        f'<figure><img alt="{html.escape(caption)}" src="data:{kind};base64,{base64.b64encode(content).decode()}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for caption, content, kind in pictures
    ]
    return f'<div class="row" style="--width: {width}">{"".join(cells)}</div>'


def write_page(path, title, parts):
    """Writes an HTML page of parts that the functions above made; the file is whole or absent."""
    with whole_file(path) as temporary:
        page = _PAGE.format(title=html.escape(title), body="\n".join(parts))
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")  # a file's name may be no UTF-8


def contact_sheet(path, rows, headers, width=3.0):
    """Writes a PNG or JPEG, by its name, with a row of pictures for each photo; transparent ones lie on a checkerboard.

    Args:
        path: the file; whole or absent.
        rows: `(label, [picture, …])`; grey `[H, W]` in 0 … 255, RGB or RGBA, uint8.
        headers: a caption for each column.
        width: inches of a column, at 100 dots an inch.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(width * len(headers), 0.4 + sum(width * _aspect(pictures) for _, pictures in rows)), dpi=100
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        len(rows), len(headers), squeeze=False, height_ratios=[_aspect(pictures) for _, pictures in rows]
    )
    for row, (label, pictures) in zip(axes, rows, strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            height, breadth = picture.shape[:2]
            cell = max(8, breadth // 32)
            checks = (np.add.outer(np.arange(height) // cell, np.arange(breadth) // cell) % 2) * 0.15 + 0.85
            axis.imshow(checks, cmap="gray", vmin=0, vmax=1)
            axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
            axis.set_xticks([])
            axis.set_yticks([])
        row[0].set_ylabel(label)
    for axis, header in zip(axes[0], headers, strict=True):
        axis.set_title(header, fontsize=10)
    figure.tight_layout(pad=0.4)
    with whole_file(path) as temporary:
        figure.savefig(temporary, pil_kwargs={"quality": 90})  # which a PNG ignores


def _aspect(pictures):
    return pictures[0].shape[0] / pictures[0].shape[1]
