"""HTML as widely used site generators write it, around rendered Markdown: headings, code blocks, the page."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from flowchat.evaluation.site_pages import (
    docusaurus_page,
    github_page,
    hugo_page,
    mkdocs_page,
    plain_page,
    sphinx_page,
    vitepress_page,
    wordpress_page,
)

_TOKEN = re.compile(r"\w+|[^\w\s]+|\s+")


@dataclass(frozen=True, slots=True)
class Shape:
    """`heading(level, html, slug)` and `code(language, text)` make elements; `page(title, body, slugs)` the document.

    `text` of code ends with a newline. `sections`: headings with a section each, which has the id. `trims_code`: empty
    lines at the end of code don't reach the page.
    """

    name: str
    heading: Callable[[int, str, str], str]
    code: Callable[[str, str], str]
    page: Callable[[str, str, list[str]], str]
    has_sections: bool = False
    trims_code: bool = False


def _spans(text: str) -> str:
    """As highlighters write it: tokens in spans, white space between them."""
    tokens = (escape(token, quote=False) for token in _TOKEN.findall(text))
    return "".join(token if token.isspace() else f'<span class="n">{token}</span>' for token in tokens)


def _numbers(text: str) -> range:
    return range(1, text.count("\n") + 1)


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")


def _plain_heading(level: int, html: str, slug: str) -> str:
    return f'<h{level} id="{escape(slug)}">{html}</h{level}>\n'


def _plain_code(language: str, text: str) -> str:
    return f'<pre><code class="language-{language}">{escape(text)}</code></pre>\n'


def _sphinx_heading(level: int, html: str, slug: str) -> str:
    return (
        f'<h{level}>{html}<a class="headerlink" href="#{escape(slug)}" title="Link to this heading">¶</a></h{level}>\n'
    )


def _sphinx_code(language: str, text: str) -> str:
    return (
        f'<div class="highlight-{language or "default"} notranslate"><div class="highlight"><pre><span></span>'
        f'{_spans(text)}</pre><button class="copybtn o-tooltip--left" data-tooltip="Copy">Copy</button></div>\n</div>\n'
    )


def _mkdocs_heading(level: int, html: str, slug: str) -> str:
    return (
        f'<h{level} id="{escape(slug)}">{html}<a class="headerlink" href="#{escape(slug)}" title="Permanent link">'
        f"&para;</a></h{level}>\n"
    )


def _mkdocs_code(language: str, text: str) -> str:
    numbers = "\n".join(f'<span class="normal">{number}</span>' for number in _numbers(text))
    return (
        '<div class="highlight"><table class="highlighttable"><tbody><tr><td class="linenos"><div class="linenodiv">'
        f'<pre><span></span>{numbers}</pre></div></td><td class="code"><div><pre id="__code_0"><span></span>'
        f'<button class="md-clipboard md-icon" title="Copy to clipboard"></button><code>{_spans(text)}</code></pre>'
        "</div></td></tr></tbody></table></div>\n"
    )


def _docusaurus_heading(level: int, html: str, slug: str) -> str:
    return (
        f'<h{level} class="anchor anchorWithStickyNavbar_LWe7" id="{escape(slug)}">{html}<a href="#{escape(slug)}" '
        f'class="hash-link" aria-label="Direct link to it" title="Direct link to it">\u200b</a></h{level}>\n'
    )


def _docusaurus_code(language: str, text: str) -> str:
    lines = "".join(
        f'<span class="token-line" style="color:#393A34">'
        f'<span class="token plain"{"" if line else " style=display:inline-block"}>{escape(line)}</span><br></span>'
        for line in _lines(text)
    )
    return (
        f'<div class="language-{language} codeBlockContainer_Ckt0 theme-code-block"><div class="codeBlockContent_biex">'
        f'<pre tabindex="0" class="prism-code language-{language} codeBlock_bY9V thin-scrollbar">'
        f'<code class="codeBlockLines_e6Vv">{lines}</code></pre><div class="buttonGroup__atx">'
        '<button type="button" aria-label="Copy code to clipboard" class="clean-btn">Copy</button></div></div></div>\n'
    )


def _github_heading(level: int, html: str, slug: str) -> str:
    return (
        f'<div class="markdown-heading" dir="auto"><h{level} tabindex="-1" class="heading-element" dir="auto">{html}'
        f'</h{level}><a id="user-content-{escape(slug)}" class="anchor" aria-label="Permalink: it" '
        f'href="#{escape(slug)}"><svg class="octicon octicon-link"><path d="m7 3"></path></svg></a></div>\n'
    )


def _github_code(language: str, text: str) -> str:
    code = text.rstrip("\n")
    return (
        f'<div class="highlight highlight-source-{language} notranslate position-relative overflow-auto" dir="auto">'
        f"<pre>{chr(10) if code.startswith(chr(10)) else ''}{_spans(code)}</pre>"
        '<div class="zeroclipboard-container"><clipboard-copy aria-label="Copy" class="ClipboardButton btn" value="x">'
        '<svg class="octicon octicon-copy"></svg></clipboard-copy></div></div>\n'
    )


def _hugo_heading(level: int, html: str, slug: str) -> str:
    return f'<h{level} id="{escape(slug)}">{html} <a class="anchor" href="#{escape(slug)}">#</a></h{level}>\n'


def _hugo_code(language: str, text: str) -> str:
    """With numbers in a column of their own, or in each line."""
    if len(text) % 2:
        numbers = "".join(f'<span class="lnt">{number}\n</span>' for number in _numbers(text))
        left = f'<pre tabindex="0" class="chroma"><code>{numbers}</code></pre>'
        right = f'<pre tabindex="0" class="chroma"><code class="language-{language}">{_chroma(text, "")}</code></pre>'
        return (
            '<div class="highlight"><div class="chroma">\n<table class="lntable"><tr><td class="lntd">\n'
            f'{left}</td>\n<td class="lntd">\n{right}</td></tr></table>\n</div>\n</div>\n'
        )
    return (
        f'<div class="highlight"><pre tabindex="0" class="chroma"><code class="language-{language}">'
        f"{_chroma(text, 'ln')}</code></pre></div>\n"
    )


def _chroma(text: str, number_class: str) -> str:
    return "".join(
        '<span class="line">'
        + (f'<span class="{number_class}">{number:2}</span>' if number_class else "")
        + f'<span class="cl">{_spans(line)}\n</span></span>'
        for number, line in enumerate(_lines(text), 1)
    )


def _wordpress_heading(level: int, html: str, slug: str) -> str:
    return (
        f'<h{level} class="wp-block-heading"><span class="ez-toc-section" id="{escape(slug)}"></span>{html}'
        f'<span class="ez-toc-section-end"></span></h{level}>\n'
    )


def _wordpress_code(language: str, text: str) -> str:
    return (
        f'<pre class="wp-block-code"><code lang="{language}" class="language-{language}">{escape(text)}</code></pre>\n'
    )


def _jekyll_code(language: str, text: str) -> str:
    numbers = "".join(f"{number}\n" for number in _numbers(text))
    guard = "\n" if text.startswith("\n") else ""
    return (
        f'<div class="language-{language} highlighter-rouge"><div class="highlight"><pre class="highlight"><code>'
        '<table class="rouge-table"><tbody><tr><td class="rouge-gutter gl"><pre class="lineno">'
        f'{numbers}</pre></td><td class="rouge-code"><pre>{guard}{_spans(text)}</pre></td></tr></tbody></table></code>'
        "</pre></div></div>\n"
    )


def _hexo_code(language: str, text: str) -> str:
    numbers = "".join(f'<span class="line">{number}</span><br>' for number in _numbers(text))
    lines = "".join(f'<span class="line">{_spans(line)}</span><br>' for line in _lines(text))
    return (
        f'<figure class="highlight {language}"><table><tr><td class="gutter"><pre>{numbers}</pre></td>'
        f'<td class="code"><pre>{lines}</pre></td></tr></table></figure>\n'
    )


def _hexo_heading(level: int, html: str, slug: str) -> str:
    return (
        f'<h{level} id="{escape(slug)}"><a href="#{escape(slug)}" class="headerlink" title="it"></a>{html}</h{level}>\n'
    )


def _vitepress_heading(level: int, html: str, slug: str) -> str:
    return (
        f'<h{level} id="{escape(slug)}" tabindex="-1">{html} <a class="header-anchor" href="#{escape(slug)}" '
        f'aria-label="Permalink to &quot;it&quot;">&#8203;</a></h{level}>\n'
    )


def _vitepress_code(language: str, text: str) -> str:
    lines = "\n".join(f'<span class="line">{_spans(line)}</span>' for line in text.rstrip("\n").split("\n"))
    numbers = "".join(f'<span class="line-number">{number}</span><br>' for number in _numbers(text))
    return (
        f'<div class="language-{language} vp-adaptive-theme line-numbers-mode"><button title="Copy Code" class="copy">'
        f'</button><span class="lang">{language}</span><pre class="shiki vp-code" ><code>{lines}</code></pre>'
        f'<div class="line-numbers-wrapper" aria-hidden="true">{numbers}</div></div>\n'
    )


SHAPES = (
    Shape("plain", _plain_heading, _plain_code, plain_page),
    Shape("Sphinx", _sphinx_heading, _sphinx_code, sphinx_page, has_sections=True),
    Shape("MkDocs Material", _mkdocs_heading, _mkdocs_code, mkdocs_page),
    Shape("Docusaurus", _docusaurus_heading, _docusaurus_code, docusaurus_page),
    Shape("GitHub", _github_heading, _github_code, github_page, trims_code=True),
    Shape("Hugo", _hugo_heading, _hugo_code, hugo_page),
    Shape("WordPress", _wordpress_heading, _wordpress_code, wordpress_page),
    Shape("Jekyll", _plain_heading, _jekyll_code, hugo_page),
    Shape("Hexo", _hexo_heading, _hexo_code, hugo_page),
    Shape("VitePress", _vitepress_heading, _vitepress_code, vitepress_page, trims_code=True),
)
