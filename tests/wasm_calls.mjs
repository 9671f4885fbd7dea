// Runs calls of docs/explorer/fastinit.js: node wasm_calls.mjs MODULE < calls.json > answers.json
//
// A call is [function, ...arguments]. In the calls, {"float": text} and {"integer": text} are a Number and a BigInt. An
// answer is the function's, values as base64, or the error.
import { readFileSync } from "node:fs";
import { load } from "../docs/explorer/fastinit.js";

const fi = await load(readFileSync(process.argv[2]));
const calls = JSON.parse(readFileSync(0, "utf8"), (_, value) =>
  value?.float ? Number(value.float) : value?.integer ? BigInt(value.integer) : value,
);
const answers = calls.map(([name, ...given]) => {
  try {
    const answer = fi[name](...given);
    if (!ArrayBuffer.isView(answer)) return answer;
    return { kind: answer.constructor.name, values: Buffer.from(answer.buffer).toString("base64") };
  } catch (error) {
    return { error: error.name, message: error.message };
  }
});
console.log(JSON.stringify(answers, (_, value) => (Math.abs(value) === Infinity ? `${value}` : value)));
