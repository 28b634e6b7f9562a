# SPDX-License-Identifier: Apache-2.0
"""picture.py - bars and curves as SVG, readable on light and dark grounds, without a library."""
from html import escape

COLOURS = ('#2f7d4f', '#c2571a', '#8c6bb1', '#4a7fb5')
ROW, BAR, LABELS, WIDTH = 22, 14, 420, 980


def frame(width, height, title, parts):
    return '\n'.join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="20" font-size="15" font-weight="bold">{escape(title)}</text>', *parts, '</svg>', ''])


def bars(title, rows):
    """rows: (label, [(series, percent)]); a line marks 100. None without rows."""
    if not rows:
        return None
    series = list(dict.fromkeys(name for _, values in rows for name, _ in values))
    most = max(100, *(value for _, values in rows for _, value in values))
    scale = (WIDTH - LABELS - 60) / most
    parts, y = [], 36
    for i, name in enumerate(series):
        parts.append(f'<rect x="{LABELS + i * 130}" y="{y - 10}" width="12" height="12" fill="{COLOURS[i % 4]}"/>')
        parts.append(f'<text x="{LABELS + 16 + i * 130}" y="{y}">{escape(name)}</text>')
    top = y = y + 14
    for label, values in rows:
        parts.append(f'<text x="10" y="{y + 12}">{escape(label)}</text>')
        for name, value in values:
            colour = COLOURS[series.index(name) % 4]
            parts.append(f'<rect x="{LABELS}" y="{y}" width="{value * scale:.1f}" height="{BAR}" fill="{colour}"/>')
            parts.append(f'<text x="{LABELS + value * scale + 4:.1f}" y="{y + 11}">{value:.0f}</text>')
            y += BAR + 2
        y += ROW - BAR
    x = LABELS + 100 * scale
    parts.append(f'<line x1="{x:.1f}" y1="{top - 4}" x2="{x:.1f}" y2="{y}" stroke="#444444" stroke-dasharray="4 3"/>')
    return frame(WIDTH, y + 10, title, parts)
