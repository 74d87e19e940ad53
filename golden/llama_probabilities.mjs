// What llama.cpp (through the npm package node-llama-cpp) expects after each token: one line of JSON with the five
// likeliest [token, probability] of each.
//
//     node golden/llama_probabilities.mjs FOLDER-WITH-NODE_MODULES MODEL.gguf '[1,2,3]'
const [folder, model_path, tokens] = process.argv.slice(2);
const { getLlama } = await import(`${folder}/node_modules/node-llama-cpp/dist/index.js`);
const llama = await getLlama({ build: "never", gpu: false, logLevel: "error" });
const model = await llama.loadModel({ modelPath: model_path });
const context = await model.createContext({ contextSize: 256, threads: 1 });
const steps = JSON.parse(tokens).map((token) => [token, { generateNext: { probabilities: true } }]);
const results = await context.getSequence().controlledEvaluate(steps);
const best = results.map((result) => [...result.next.probabilities.entries()].slice(0, 5));
process.stdout.write(`${JSON.stringify(best)}\n`);
