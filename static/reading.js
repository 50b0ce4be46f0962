// What an answer's events say so far, sentence by sentence; the answer and its trail are both drawn from it.

export class Reading {
  constructor() {
    this.chunks = new Map();
    this.sentences = []; // {text, refs: [{ref, chunkId, ok, score, isVerbatim}]}
    this.withheld = []; // {ref, chunkId, score}
    this.times = {}; // event name -> when its first and its last one came, in ms after the question
    this.end = null;
  }

  /** Takes an event in; returns the sentence that it is about, if any. */
  take(event, data, elapsed) {
    const [first = elapsed] = this.times[event] ?? [];
    this.times[event] = [first, elapsed];
    if (event === "retrieval.reranked") data.chunks.forEach((chunk) => this.chunks.set(chunk.id, chunk));
    else if (event === "generation.token") return this.write(data.text);
    else if (event === "generation.cited") return this.cite(data);
    else if (event === "nli.verified") return this.verify(data);
    else if (event === "stream.done") this.end = data;
    return null;
  }

  get cited() {
    return this.sentences.flatMap((sentence) => sentence.refs);
  }

  write(text) {
    let sentence = this.sentences.at(-1);
    if (!sentence || sentence.refs.length) {
      sentence = { text: "", refs: [] };
      this.sentences.push(sentence);
    }
    sentence.text += text;
    return sentence;
  }

  cite({ ref, chunkId }) {
    const sentence = this.sentences.at(-1);
    sentence?.refs.push({ ref, chunkId, ok: null, score: null, isVerbatim: false });
    return sentence;
  }

  verify({ ref, ok, score, evidence, chunkId }) {
    const sentence = this.sentences.find(({ refs }) => refs.some((cited) => cited.ref === ref));
    const cited = sentence?.refs.find((candidate) => candidate.ref === ref);
    if (cited) Object.assign(cited, { ok, score, isVerbatim: ok && Boolean(evidence?.endsWith(sentence.text.trim())) });
    else this.withheld.push({ ref, chunkId, score });
    return sentence;
  }
}
