"""A drawing and its parts as SVG text. Every text that comes from outside goes through `text` or `titled`."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass

from edgebench.units import one_line

CHARACTER = 0.56
"""Mean width of a character as a share of its height, in the sans-serif fonts that pages are read in."""
SMALL, NORMAL = 11.0, 12.5
LIGHT = {
    "--ink": "#1c2126",
    "--muted": "#5c666f",
    "--line": "#dfe2e5",
    "--raised": "#ffffff",
}
"""The page's own colours by day, for a drawing that stands alone."""
STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',Aileron,sans-serif;font-size:12.5px}"
    ".k{fill:var(--ink)}.m{fill:var(--muted)}.s{font-size:11px}.b{font-weight:600}"
    ".g{stroke:var(--line);stroke-width:1}.a{stroke:var(--muted);stroke-width:1;fill:none}"
    ".d{stroke:var(--muted);stroke-width:1.2;stroke-dasharray:2 3;fill:none}.h{stroke:var(--raised);stroke-width:1}"
    ".n{paint-order:stroke;stroke:var(--raised);stroke-width:3px;stroke-linejoin:round}"
)


@dataclass(frozen=True)
class Drawing:
    """A finished picture, sizes in CSS pixels; `description` says in words what it shows."""

    title: str
    description: str
    width: float
    height: float
    body: str

    def inline(self) -> str:
        """Return the element for the page, which brings colours and font of its theme."""
        return (
            f'<svg class="plot" viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f'aria-label="{escaped(f"{self.title}. {self.description}")}">{self.body}</svg>'
        )

    def alone(self) -> str:
        """Return a file of its own, on white, with its title above."""
        top = 30
        style = STYLE
        for name, colour in LIGHT.items():  # programs that draw files know no variables
            style = style.replace(f"var({name})", colour)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:g}" height="{self.height + top:g}" '
            f'viewBox="0 {-top} {self.width:g} {self.height + top:g}" role="img" aria-labelledby="t d">'
            f'<title id="t">{escaped(self.title)}</title><desc id="d">{escaped(self.description)}</desc>'
            f"<style>{style}</style>"
            f'<rect x="0" y="{-top}" width="{self.width:g}" height="{self.height + top:g}" fill="#ffffff"/>'
            f"{text(10, -10, shortened(self.title, self.width - 20, 14), 'k b')}{self.body}</svg>\n"
        )


def escaped(words: str) -> str:
    """Return untrusted text for an element or an attribute, without what XML does not know."""
    return html.escape(one_line(words))


def width_of(words: str, height: float = NORMAL) -> float:
    """Return about how wide a text is drawn."""
    return len(words) * height * CHARACTER


def shortened(words: str, width: float, height: float = NORMAL) -> str:
    """Return what fits of a text, with an ellipsis where something is gone."""
    fits = max(int(width / height / CHARACTER), 2)
    return words if len(words) <= fits else f"{words[: fits - 1]}…"


def text(x: float, y: float, words: str, kind: str = "m", anchor: str = "start", turned: bool = False) -> str:
    """Return a text; kinds are those of `STYLE`: k ink, m muted, s small, b bold."""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}"{turn}>{escaped(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str = "", colour: str = "") -> str:
    """Return a line of a kind, or of a colour."""
    how = f'class="{kind}"' if kind else f'stroke="{colour}" stroke-width="1.2"'
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {how}/>'


def path(points: list[tuple[float, float]], colour: str = "", kind: str = "", dash: str = "", width: float = 2) -> str:
    """Return a line through points."""
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    how = f'class="{kind}"' if kind else f'fill="none" stroke="{colour}" stroke-width="{width:g}"'
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{way}" {how}{dashes}/>'


def box(x: float, y: float, width: float, height: float, colour: str, opacity: float = 1) -> str:
    """Return a rectangle; nothing where it has no width."""
    faint = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" fill="{colour}"{faint}/>'


def mark(shape: str, x: float, y: float, colour: str, radius: float = 5.5, kind: str = "h") -> str:
    """Return a circle, a square or a diamond."""
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{colour}" class="{kind}"/>'
    reach = radius * (0.9 if shape == "square" else 1.25)
    turned = 0 if shape == "square" else 1
    corners = [
        (x + reach * math.cos(angle) * (1 if turned else math.sqrt(2)),
         y + reach * math.sin(angle) * (1 if turned else math.sqrt(2)))
        for angle in (math.pi / 4 * (2 * corner + 1 - turned) for corner in range(4))
    ]  # fmt: skip
    way = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    return f'<polygon points="{way}" fill="{colour}" class="{kind}"/>'


def titled(words: str, inside: str) -> str:
    """Return a group that says `words` when it is pointed at."""
    return f"<g><title>{escaped(words)}</title>{inside}</g>"
