// What a JavaScript or TypeScript file consists of, and how small it gets: read, tokenise, compress.
//
//   find src -name '*.ts' | manyhands map examples/source-stats.mjs --in lines -o stats.ndjson
import { readFile } from "node:fs/promises";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const LARGE = 512 * 1024;

/**
 * @param {string} file the path of a source file
 * @returns {Promise<{ file: string, bytes: number, lines: number, tokens: number, gzipBytes: number, brotliBytes: number, ratio: number }>}
 * its size as it is and as a web server sends it, compressed once with great care; `ratio` is bytes ÷ gzipBytes
 */
export async function analyse(file) {
  const content = await readFile(file);
  const text = content.toString("utf8");
  const gzipBytes = gzipSync(content, { level: constants.Z_BEST_COMPRESSION }).length;
  const brotliBytes = brotliCompressSync(content, {
    params: {
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      // The best quality takes a second for a megabyte.
      [constants.BROTLI_PARAM_QUALITY]: content.length < LARGE ? constants.BROTLI_MAX_QUALITY : 9,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  }).length;
  return {
    file,
    bytes: content.length,
    lines: countLines(text),
    tokens: countTokens(text),
    gzipBytes,
    brotliBytes,
    ratio: content.length === 0 ? 1 : content.length / gzipBytes,
  };
}

function countLines(text) {
  let lines = text === "" || text.endsWith("\n") ? 0 : 1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}

/** Names, numbers, strings, templates, regular expressions and signs. Space and comments are none. */
function countTokens(text) {
  let tokens = 0;
  let isOperandNext = true; // after what a "/" begins a regular expression, and does not divide
  const braces = []; // what the open braces belong to: a block, or a template's ${…}
  for (let at = 0; at < text.length; ) {
    const kind = kindAt(text, at, isOperandNext, braces);
    const pattern = PATTERNS[kind];
    pattern.lastIndex = at;
    const [token] = pattern.exec(text) ?? [text[at]];
    at += token.length;
    if (kind === "space" || kind === "comment") continue;
    tokens++;
    if (kind === "template") {
      if (token.endsWith("${")) braces.push("template");
    } else if (token === "{") {
      braces.push("block");
    } else if (token === "}") {
      braces.pop();
    }
    isOperandNext = token.endsWith("${") || (kind === "sign" ? !/[)\]}]$/.test(token) : OPERAND_FOLLOWS.has(token));
  }
  return tokens;
}

/** @returns {keyof typeof PATTERNS} */
function kindAt(text, at, isOperandNext, braces) {
  const sign = text[at];
  if (at === 0 && text.startsWith("#!")) return "comment";
  if (/\s/.test(sign)) return "space";
  if (/[\p{L}_$#@\\]/u.test(sign)) return "name";
  if (/\d/.test(sign) || (sign === "." && /\d/.test(text[at + 1] ?? ""))) return "number";
  if (sign === '"' || sign === "'") return "string";
  if (sign === "`") return "template";
  if (sign === "}" && braces.at(-1) === "template") {
    braces.pop();
    return "template";
  }
  if (sign !== "/") return "sign";
  if (text[at + 1] === "/" || text[at + 1] === "*") return "comment";
  return isOperandNext ? "regex" : "sign";
}

const PATTERNS = {
  space: /\s+/y,
  comment: /\/\/[^\n]*|\/\*[^]*?(?:\*\/|$)|#![^\n]*/y,
  name: /[\p{L}\p{N}_$#@\\\u200c\u200d]+/uy,
  number: /0[xob][\da-f_]+n?|(?:\d[\d_]*)?\.?\d*(?:e[+-]?\d+)?n?/iy,
  string: /"(?:\\[^]|[^"\\\n])*"?|'(?:\\[^]|[^'\\\n])*'?/y,
  template: /[`}](?:\\[^]|\$(?!\{)|[^`\\$])*(?:`|\$\{|$)/y,
  regex: /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y,
  sign: />>>=|===|!==|\*\*=|<<=|>>=|>>>|\.\.\.|&&=|\|\|=|\?\?=|=>|[=!<>+\-*/%&|^]=|\+\+|--|&&|\|\||\?\?|\?\.|\*\*|<<|[^]/y,
};

const OPERAND_FOLLOWS = new Set(
  "return typeof case do else in of instanceof new void delete throw await yield".split(" "),
);
