// The widget's own texts. English is part of the script; other languages are fetched, and fall back to English.

import en from "./locales/en.json";

const LANGUAGES = ["ar", "de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "zh"];
const FROM_RIGHT = ["ar"];
const WAIT_MS = 3000;

export class Texts {
  /** `locale`: BCP 47. `pageLanguage`: of the site, and so of its answers; "" where it does not say. */
  constructor(locale, pageLanguage, language, texts) {
    this.locale = locale;
    this.pageLanguage = pageLanguage;
    this.language = language;
    this.direction = FROM_RIGHT.includes(language) ? "rtl" : "ltr";
    this.texts = { ...en, ...texts };
  }

  static async load(host, locale, pageLanguage) {
    const [language] = locale.toLowerCase().split(/[-_]/);
    if (language === "en" || !LANGUAGES.includes(language)) return new Texts(locale, pageLanguage, "en");
    loaded[language] ??= fetchTexts(`${host}/widget/locales/${language}.json`);
    const texts = await loaded[language];
    return new Texts(locale, pageLanguage, texts ? language : "en", texts);
  }

  /** Texts that the key's owner set take the place of those of their names. */
  replace(own) {
    Object.assign(this.texts, own);
  }

  /** {name} in a text is replaced by the value of that name. */
  say(name, values = {}) {
    return this.texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
  }
}
const loaded = {}; // language -> the promise of its texts, for all widgets of the page

/** null where they can't be had: the chat is there all the same. */
async function fetchTexts(url) {
  try {
    const response = await fetch(url, { credentials: "omit", signal: AbortSignal.timeout(WAIT_MS) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}
