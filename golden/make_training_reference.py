"""Gradients and losses of tiny models in PyTorch, for the trainer's tests.

    python golden/make_training_reference.py            # needs torch and transformers; writes */training.safetensors

For each model of this directory that can be trained: three texts of unequal length, the mean cross-entropy over all
predictions, for mixtures also the balance loss over the whole batch and the router's z-loss, the gradient of every
parameter, and the losses of 20 steps of AdamW on the same batch.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file

HERE = Path(__file__).parent
MODELS = ["llama-tiny", "qwen2-tiny", "qwen3-tiny", "qwen3-moe-tiny"]
BALANCE, ROUTER_Z, LOGIT_Z = 0.01, 0.001, 0.0001
LENGTHS = [37, 2, 61]


def texts(vocab):
    generator = torch.Generator().manual_seed(7)
    return [torch.randint(0, vocab, (length,), generator=generator) for length in LENGTHS]


def losses(model, batch):
    """The total that is minimised, and the mean cross-entropy alone; one text at a time, so none sees another."""
    config = model.config
    experts = getattr(config, "num_experts", 0)
    routed = [[] for _ in range(config.num_hidden_layers)]
    hooks = []
    if experts:
        for idx, layer in enumerate(model.model.layers):
            if hasattr(layer.mlp, "gate"):
                def keep(module, args, idx=idx):
                    routed[idx].append(F.linear(args[0].reshape(-1, config.hidden_size), module.weight))

                hooks.append(layer.mlp.gate.register_forward_pre_hook(keep))
    total, z, n = 0.0, 0.0, sum(len(text) - 1 for text in batch)
    for text in batch:
        logits = model(text[None]).logits[0, :-1].float()
        total = total + F.cross_entropy(logits, text[1:], reduction="sum") / n
        z = z + (logits.logsumexp(-1) ** 2).sum() / n
    for hook in hooks:
        hook.remove()
    objective = total + LOGIT_Z * z
    for logits in filter(None, routed):
        logits = torch.cat(logits)
        p = logits.softmax(-1)
        chosen = p.topk(config.num_experts_per_tok, -1).indices
        share = F.one_hot(chosen, experts).sum((0, 1)) / chosen.numel()
        objective = objective + BALANCE * experts * (share * p.mean(0)).sum()
        objective = objective + ROUTER_Z * (logits.logsumexp(-1) ** 2).mean()
    return objective, total


def by_expert(name, value):
    """transformers 5 stacks experts; files keep them apart."""
    if name.endswith("mlp.experts.gate_up_proj"):
        base = name.removesuffix("gate_up_proj")
        for e, both in enumerate(value):
            gate, up = both.chunk(2)
            yield f"{base}{e}.gate_proj.weight", gate
            yield f"{base}{e}.up_proj.weight", up
    elif name.endswith("mlp.experts.down_proj"):
        base = name.removesuffix("down_proj")
        for e, down in enumerate(value):
            yield f"{base}{e}.down_proj.weight", down
    else:
        yield name, value


def main():
    for name in MODELS:
        options = dict(attn_implementation="eager", dtype=torch.float32)
        model = transformers.AutoModelForCausalLM.from_pretrained(HERE / name, **options).train()
        # PyTorch leaves out the gradient of the padding token's row; here it is a token like any other.
        model.get_input_embeddings().padding_idx = None
        batch = texts(model.config.vocab_size)
        objective, loss = losses(model, batch)
        objective.backward()
        out = {"loss": loss.detach()[None], "tokens": torch.cat(batch).to(torch.int64)}
        for parameter, value in model.named_parameters():
            for split, gradient in by_expert(parameter, value.grad):
                out[f"gradient.{split}"] = gradient.clone().contiguous()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
        curve = []
        for _ in range(20):
            optimizer.zero_grad()
            objective, loss = losses(model, batch)
            curve.append(loss.detach())
            objective.backward()
            optimizer.step()
        out["curve"] = torch.stack(curve)
        save_file(out, HERE / name / "training.safetensors")
        print(name, float(out["loss"]), float(curve[-1]), len(out))


if __name__ == "__main__":
    main()
