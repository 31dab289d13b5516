"""An adapter merged into its base, reloaded and compared before it is called done."""

from pathlib import Path
from typing import Any

import torch

from kb.errors import InputError, ModelError
from kb.files import written_whole
from kb.settings import Settings
from models.inspect import MANIFEST, PROMPT_METHODS
from models.load import DTYPES, configured_adapters, find_base, load_base, load_chat

PROBE_TOKENS = 16
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.1, "float16": 0.05}  # of the largest logit


def merge(settings: Settings, out: Path, dtype: str = "float32") -> float:
    """Writes the configured base with its (first) adapter merged in to `out`, with tokenizer and template.

    The sum W + BA·α/r is taken in float32 (in bfloat16 it is off by up to 0.08) and written as `dtype`. Returns the
    greatest difference between the merged model, read back, and the adapted one, as a share of the largest logit. `out`
    gets it only if that is small.

    Raises:
        InputError: there is no adapter, it can't be merged, or `out` holds one or can't be written.
        ModelError: the merged model does not answer as the adapted one does.
    """
    adapters = configured_adapters(settings)
    if not adapters:
        raise InputError("GUIDE_ADAPTER: no adapter is set, so there is nothing to merge. Set it, or give --adapter.")
    name, adapter = next(iter(adapters.items()))
    if adapter.method in PROMPT_METHODS:
        raise InputError(f"{adapter.folder}: {adapter.method} puts tokens before the prompt; that can't be merged.")
    if (out / "adapter_config.json").is_file():
        raise InputError(f"{out}: holds an adapter, and would then be adapted twice. Give a folder of its own.")
    base = find_base(settings, adapters)
    exact = {"device": "cpu", "dtype": "float32", "quantization": "none"}
    one = {"chat_model": str(base), "adapter": f"{name}={adapter.folder}"}
    chat = load_chat(settings.model_copy(update=exact | one))
    adapted: Any = chat.model
    expected = _logits(adapted)
    merged = adapted.merge_and_unload().to(DTYPES[dtype])
    chat.tokenizer.chat_template = chat.template.jinja
    with written_whole(out) as draft:
        merged.save_pretrained(draft)
        chat.tokenizer.save_pretrained(str(draft))
        difference = _difference(draft, expected)
        if difference > TOLERANCE[dtype]:
            raise ModelError(
                f"{out}: not written, for the merged model differs by {difference:.2g} from the adapted one. "
                "Leave the adapter apart, or report this with the model's name."
            )
        for older in (*out.glob("model*.safetensors*"), out / MANIFEST):
            older.unlink(missing_ok=True)
    return difference


def _difference(folder: Path, expected: torch.Tensor) -> float:
    again = _logits(load_base(folder, torch.device("cpu"), dtype="float32"))
    return float((again - expected).abs().max() / expected.abs().max())


@torch.inference_mode()
def _logits(model: Any) -> torch.Tensor:
    """The logits after a few fixed tokens, [1, tokens, vocabulary], in float32."""
    ids = torch.arange(PROBE_TOKENS, device=model.device).unsqueeze(0)
    more = {"decoder_input_ids": ids} if getattr(model.config, "is_encoder_decoder", False) else {}
    output: torch.Tensor = model(input_ids=ids, use_cache=False, **more).logits
    return output.float()
