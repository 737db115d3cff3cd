"""Write a tiny, exact mmproj, so that a text-only GGUF really sees colours.

    make_colour_mmproj.py MODEL.gguf OUT.gguf        (needs gguf and numpy)

One patch of 14 x 14 pixels becomes one token whose embedding IS the model's own embedding of a
colour word. The patch convolution averages red, green and blue; the projector's first layer picks
the nearest corner of the RGB cube, its second layer looks up that corner's word. Nothing is
trained, and llama.cpp decodes the real picture, so the answer depends on the pixels.
"""

import sys
from pathlib import Path

import gguf  # type: ignore[import-not-found, unused-ignore]
import numpy as np  # type: ignore[import-not-found, unused-ignore]

CORNERS = {
    "black": (-1, -1, -1),
    "white": (1, 1, 1),
    "red": (1, -1, -1),
    "green": (-1, 1, -1),
    "blue": (-1, -1, 1),
    "yellow": (1, 1, -1),
    "cyan": (-1, 1, 1),
    "purple": (1, -1, 1),
}
WORD_STARTS = ("Ġ", "▁", "")  # how a tokenizer writes the space before a word
WIDTH = 64
PATCH = 14
PATCHES_A_SIDE = 2
SHARPNESS = 8.0
NOT_YET, FULLY = 1.1, 1.5  # closeness to a corner: the corner itself is 3, its neighbours are 1


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def colour_embeddings(model: Path) -> dict[str, np.ndarray]:
    """The model's own embedding of each colour word that is one token of its vocabulary."""
    reader = gguf.GGUFReader(model)
    field = reader.fields["tokenizer.ggml.tokens"]
    tokens = {bytes(field.parts[index]).decode(): row for row, index in enumerate(field.data)}
    tensor = next(found for found in reader.tensors if found.name == "token_embd.weight")
    table = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    embeddings: dict[str, np.ndarray] = {}
    for word in CORNERS:
        spelling = next((start + word for start in WORD_STARTS if start + word in tokens), None)
        if spelling is None:
            raise SystemExit(f"{model.name} has no token for {word!r}")
        embeddings[word] = table[tokens[spelling]]
    return embeddings


def write_settings(writer: gguf.GGUFWriter, text_width: int) -> None:
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    writer.add_bool("clip.use_gelu", True)
    writer.add_uint32("clip.vision.image_size", PATCH * PATCHES_A_SIDE)
    writer.add_uint32("clip.vision.patch_size", PATCH)
    writer.add_uint32("clip.vision.embedding_length", WIDTH)
    writer.add_uint32("clip.vision.feed_forward_length", WIDTH)
    writer.add_uint32("clip.vision.projection_dim", text_width)
    writer.add_uint32("clip.vision.block_count", 1)
    writer.add_uint32("clip.vision.attention.head_count", 1)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])


def write_encoder(writer: gguf.GGUFWriter) -> None:
    """An encoder that averages each patch's channels and hands them on unchanged."""
    patch = zeros(WIDTH, 3, PATCH, PATCH)
    for channel in range(3):
        patch[channel, channel] = 1.0 / (PATCH * PATCH)
    writer.add_tensor("v.patch_embd.weight", patch)
    writer.add_tensor("v.position_embd.weight", zeros(PATCHES_A_SIDE**2, WIDTH))
    for name in ("attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"):
        writer.add_tensor(f"v.blk.0.{name}.weight", zeros(WIDTH, WIDTH))
        writer.add_tensor(f"v.blk.0.{name}.bias", zeros(WIDTH))
    for name in ("ln1", "ln2"):
        writer.add_tensor(f"v.blk.0.{name}.weight", np.ones(WIDTH, np.float32))
        writer.add_tensor(f"v.blk.0.{name}.bias", zeros(WIDTH))


def write_projector(
    writer: gguf.GGUFWriter, embeddings: dict[str, np.ndarray], text_width: int
) -> None:
    """Layer 0: two neurons a corner, whose difference is a step. Layer 2: that corner's word."""
    corner = zeros(WIDTH, WIDTH)
    bias = zeros(WIDTH)
    lookup = zeros(text_width, WIDTH)
    for index, (word, position) in enumerate(CORNERS.items()):
        rising, falling = 2 * index, 2 * index + 1
        corner[rising, :3] = corner[falling, :3] = SHARPNESS * np.array(position)
        bias[rising] = -SHARPNESS * NOT_YET
        bias[falling] = -SHARPNESS * FULLY
        lookup[:, rising] = embeddings[word] / (SHARPNESS * (FULLY - NOT_YET))
        lookup[:, falling] = -lookup[:, rising]
    writer.add_tensor("mm.0.weight", corner)
    writer.add_tensor("mm.0.bias", bias)
    writer.add_tensor("mm.2.weight", lookup)
    writer.add_tensor("mm.2.bias", zeros(text_width))


def main() -> None:
    model, out = (Path(argument) for argument in sys.argv[1:])
    embeddings = colour_embeddings(model)
    text_width = len(embeddings["black"])
    writer = gguf.GGUFWriter(out, "clip")
    write_settings(writer, text_width)
    write_encoder(writer)
    write_projector(writer, embeddings, text_width)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
