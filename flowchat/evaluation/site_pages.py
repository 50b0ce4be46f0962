"""Whole pages as widely used site generators and their themes write them: navigation, sidebars, the body, a footer."""

from html import escape


def _page(head: str, body: str) -> str:
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>'


def plain_page(title: str, body: str, slugs: list[str]) -> str:
    return _page(f"<title>{escape(title)}</title>", body)


def sphinx_page(title: str, body: str, slugs: list[str]) -> str:
    return _page(
        f"<title>{escape(title)} &#8212; Acme 1.0 documentation</title>",
        '<div class="related" role="navigation"><h3>Navigation</h3><ul><li><a href="genindex.html">index</a></li></ul>'
        '</div><div class="document"><div class="documentwrapper"><div class="bodywrapper">'
        f'<div class="body" role="main">\n{body}\n<div class="clearer"></div></div></div></div>'
        '<div class="sphinxsidebar" role="navigation"><div class="sphinxsidebarwrapper"><h3><a href="#">Table of '
        f"Contents</a></h3><ul>{_links(slugs)}</ul><h4>Previous topic</h4></div></div></div>"
        '<div class="footer" role="contentinfo">&copy; Acme. Created using Sphinx.</div>',
    )


def mkdocs_page(title: str, body: str, slugs: list[str]) -> str:
    return _page(
        f"<title>{escape(title)} - Acme</title>",
        '<div data-md-component="skip"><a href="#x" class="md-skip">Skip to content</a></div>'
        '<header class="md-header"><nav class="md-header__inner">Acme</nav></header><div class="md-container">'
        '<main class="md-main"><div class="md-main__inner md-grid"><div class="md-sidebar md-sidebar--primary">'
        '<nav class="md-nav md-nav--primary"><ul><li><a href="..">Home</a></li></ul></nav></div>'
        f'<div class="md-sidebar md-sidebar--secondary"><nav class="md-nav"><ul>{_links(slugs)}</ul></nav></div>'
        '<div class="md-content"><article class="md-content__inner md-typeset"><a href="edit" title="Edit this page" '
        f'class="md-content__button md-icon"></a>\n{body}\n</article></div></div></main>'
        '<footer class="md-footer"><div>Made with Material for MkDocs</div></footer></div>',
    )


def docusaurus_page(title: str, body: str, slugs: list[str]) -> str:
    return _page(
        f"<title>{escape(title)} | Acme</title>",
        '<div id="__docusaurus"><nav aria-label="Main" class="navbar navbar--fixed-top"><a href="/">Acme</a></nav>'
        '<div class="main-wrapper"><aside class="theme-doc-sidebar-container"><ul><li>Intro</li></ul>'
        '</aside><main class="docMainContainer_TBSr"><div class="container"><div class="row"><div class="col">'
        '<nav class="theme-doc-breadcrumbs" aria-label="Breadcrumbs"><ul><li>Guides</li></ul></nav><article>'
        f'<div class="theme-doc-markdown markdown">\n{body}\n</div><footer class="theme-doc-footer"><a href="edit">Edit'
        ' this page</a></footer></article><nav class="pagination-nav" aria-label="Docs pages"><a href="next">Next</a>'
        f'</nav></div><div class="col col--3"><div class="tableOfContents_bqdL"><ul class="table-of-contents">'
        f"{_links(slugs)}</ul></div></div></div></div></main></div></div>",
    )


def github_page(title: str, body: str, slugs: list[str]) -> str:
    return _page(
        "<title>acme/acme: things - GitHub</title>",
        '<a href="#start-of-content" class="sr-only">Skip to content</a><header class="AppHeader">Sign in</header>'
        '<div class="application-main"><main id="js-repo-pjax-container"><div class="Layout"><div class="Layout-main">'
        '<article class="markdown-body entry-content container-lg" itemprop="text">\n'
        f'{body}\n</article></div><div class="Layout-sidebar"><h2>About</h2><p>None.</p></div></div></main></div>'
        '<footer class="footer">Terms</footer>',
    )


def hugo_page(title: str, body: str, slugs: list[str]) -> str:
    return _page(
        f"<title>{escape(title)} :: Acme</title>",
        '<header><a href="/">Acme</a></header><aside class="book-menu"><ul><li><a href="/docs">Docs</a></li></ul>'
        "</aside>"
        f'<main><div class="breadcrumb">Docs / Guides</div><article>\n{body}\n</article></main>'
        f'<aside class="book-toc"><nav id="TableOfContents"><ul>{_links(slugs)}</ul></nav></aside>',
    )


def wordpress_page(title: str, body: str, slugs: list[str]) -> str:
    return _page(
        f"<title>{escape(title)} &#8211; Acme</title>",
        '<div id="page" class="site"><header id="masthead" class="site-header"><p class="site-title">Acme</p>'
        '<nav id="site-navigation" class="main-navigation"><ul class="menu"><li>Home</li></ul></nav></header>'
        '<div id="content" class="site-content"><div id="primary" class="content-area"><main id="main">'
        f'<article id="post-12" class="post-12 post type-post"><div class="entry-content">\n{body}\n</div>'
        '<footer class="entry-footer"><div class="sharedaddy">Share this</div></footer></article></main></div>'
        '<aside id="secondary" class="widget-area"><section class="widget"><h2 class="widget-title">Recent Posts</h2>'
        '<ul><li><a href="/old">Old</a></li></ul></section></aside></div>'
        '<footer id="colophon" class="site-footer">Proudly powered by WordPress</footer></div>',
    )


def vitepress_page(title: str, body: str, slugs: list[str]) -> str:
    return _page(
        f"<title>{escape(title)} | Acme</title>",
        '<div id="app"><div class="Layout"><header class="VPNav">Acme</header><aside class="VPSidebar"><nav>Guide</nav>'
        '</aside><div class="VPContent has-sidebar" id="VPContent"><div class="VPDoc has-sidebar has-aside">'
        '<div class="container"><div class="aside"><div class="VPDocAside"><nav class="VPDocAsideOutline"><div>On this '
        f'page</div><ul>{_links(slugs)}</ul></nav></div></div><div class="content"><main class="main">'
        f'<div class="vp-doc _guide"><div>\n{body}\n</div></div></main><footer class="VPDocFooter"><a href="next">Next '
        "page</a></footer></div></div></div></div></div></div>",
    )


def _links(slugs: list[str]) -> str:
    return "".join(f'<li><a href="#{escape(slug)}">{escape(slug)}</a></li>' for slug in slugs)
