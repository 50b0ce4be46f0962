"""The eight CSS custom properties that theme the widget (contract, section 7): what they are for, and their values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour, and its default on light and dark pages."""

    name: str
    title: str
    about: str
    light: str
    dark: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A property that is no colour; `options` are (value, label), the default first."""

    name: str
    title: str
    options: tuple[tuple[str, str], ...]


COLOURS = (
    Colour("accent", "Accent", "the bubble, buttons, the visitor's own messages, links", "#0d6b52", "#62cfa8"),
    Colour("on-accent", "On accent", "text and icons on it", "#ffffff", "#08251b"),
    Colour("surface", "Surface", "the panel and the answers", "#ffffff", "#1b1f25"),
    Colour("on-surface", "On surface", "text on it", "#1b1f23", "#e8eaed"),
    Colour("muted", "Muted", "hints and small print", "#565e66", "#a4adb6"),
)
CHOICES = (
    Choice(
        "radius", "Corners", (("12px", "round"), ("4px", "slightly round"), ("0px", "square"), ("20px", "very round"))
    ),
    Choice(
        "font",
        "Font",
        (
            ("inherit", "your page's"),
            ("system-ui, sans-serif", "the system's"),
            ("Georgia, serif", "with serifs"),
            ("ui-monospace, monospace", "typewriter"),
        ),
    ),
    Choice(
        "shadow",
        "Shadow",
        (
            ("0 8px 30px rgb(0 0 0 / 18%)", "soft"),
            ("0 12px 40px rgb(0 0 0 / 35%)", "strong"),
            ("none", "none"),
        ),
    ),
)
# (text, background, where): at least 4.5 to 1, WCAG 2.2, 1.4.3 (level AA).
CONTRASTS = (
    ("on-accent", "accent", "Buttons and own messages"),
    ("on-surface", "surface", "Answers"),
    ("accent", "surface", "Links and citations"),
    ("muted", "surface", "Small print"),
)
