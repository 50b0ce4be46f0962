"""Scrapy crawling a site, as a reference: `python -m flowchat.evaluation.spider URL CONCURRENCY`.

It follows every link of the site and takes each page's title and text, and prints JSON: pages, seconds.
"""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from scrapy import Spider
from scrapy.crawler import CrawlerProcess
from scrapy.http import HtmlResponse, Response
from scrapy.linkextractors import LinkExtractor


class SiteSpider(Spider):
    name = "site"

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(**options)
        self.start_urls = [url]
        self.links = LinkExtractor(allow_domains=[urlsplit(url).netloc])
        self.pages = 0
        self.began = time.perf_counter()
        self.ended = self.began

    def parse(self, response: Response, **_: Any) -> Iterator[Any]:
        if not isinstance(response, HtmlResponse):
            return
        self.pages += 1
        self.ended = time.perf_counter()
        text = " ".join(response.xpath("//body//text()[not(ancestor::script or ancestor::style)]").getall())
        yield {"url": response.url, "title": response.css("title::text").get(), "text": text}
        for link in self.links.extract_links(response):
            yield response.follow(link)


def main(url: str, concurrency: int) -> None:
    settings = {
        "CONCURRENT_REQUESTS": concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency,
        "DOWNLOAD_DELAY": 0,
        "ROBOTSTXT_OBEY": True,
        "LOG_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
    }
    process = CrawlerProcess(settings)
    crawler = process.create_crawler(SiteSpider)
    process.crawl(crawler, url=url)
    process.start()
    spider = crawler.spider
    if not isinstance(spider, SiteSpider):
        raise SystemExit("the spider could not be made")
    print(json.dumps({"pages": spider.pages, "seconds": spider.ended - spider.began}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
