// Entry of /v1.js: makes <flowchat-widget> known to the page.

import { defineWidget } from "./element.js";

// `currentScript` is null where a page loads this as a module, and there is no such script where it imports it.
const script = document.currentScript ?? document.querySelector('script[src*="/v1.js"]');
defineWidget(script?.src || location.href);
