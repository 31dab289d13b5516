"""Loads a chat model and its adapters through peft, and refuses what doesn't fit, saying why."""

import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from transformers import BitsAndBytesConfig, PreTrainedModel
from transformers.utils import logging

from kb.errors import ModelError
from kb.settings import WEIGHTS, Settings
from models.families import family_of
from models.fit import base_config, check_fit, model_class
from models.generate import ChatModel
from models.hub import model_name
from models.inspect import (
    AdapterFacts,
    classify,
    fingerprint,
    inspect_adapter,
    locate,
    tensor_shapes,
    weight_files,
)
from models.load_tokenizer import check_token_ids, chosen_template, load_tokenizer
from models.names import parse_adapters
from models.switching import Adapters, peft_name
from models.template import ChatTemplate

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_chat(settings: Settings) -> ChatModel:
    """The chat model that the settings name, ready to answer: eval mode, nothing trainable, every weight finite.

    The base is the one set; when only an adapter is set, the one it was trained on. The shipped adapter is used with
    the shipped base alone.

    Raises:
        ModelError: a folder or hub id that can't be had, damaged weights, or an adapter that doesn't fit.
    """
    adapters = configured_adapters(settings)
    base = find_base(settings, adapters)
    trust = settings.trust_remote_code
    model = load_base(
        base, pick_device(settings.device), dtype=settings.dtype, quantization=settings.quantization, trust_code=trust
    )
    tokenizer = load_tokenizer(base, *adapters.values(), trust_code=trust)
    brought = max((adapter.rows or 0 for adapter in adapters.values()), default=0)
    check_token_ids(tokenizer, base, brought or embedding_rows(model))
    family = family_of(base)
    template = ChatTemplate(tokenizer, chosen_template(settings.chat_template, tokenizer, family))
    if adapters:
        model = attach(model, adapters, base, trust_code=trust)
    more_stops = family.end_of_turn if family else ()
    return ChatModel(model, template, model_name(base), adapters, more_stops=more_stops, window=settings.chat_window)


def configured_adapters(settings: Settings) -> dict[str, AdapterFacts]:
    """The adapters that the settings name, inspected; the shipped one only goes with the shipped base."""
    given = settings.model_fields_set
    if "chat_model" in given and "adapter" not in given and Path(settings.chat_model) != WEIGHTS / "chat":
        return {}
    places = parse_adapters(settings.adapter)
    return {name: inspect_adapter(locate(place, "GUIDE_ADAPTER")) for name, place in places.items()}


def find_base(settings: Settings, adapters: Mapping[str, AdapterFacts]) -> Path:
    """The base's folder: the one set, else the first adapter's own, else the shipped one.

    Raises:
        ModelError: it is not to be had, or is an adapter.
    """
    given = settings.model_fields_set
    if adapters and "adapter" in given and "chat_model" not in given:
        return base_of(next(iter(adapters.values())))
    base = locate(settings.chat_model, "GUIDE_CHAT_MODEL", code=settings.trust_remote_code)
    if classify(base) == "adapter":
        raise ModelError(f"GUIDE_CHAT_MODEL = {base}: an adapter. Set it as GUIDE_ADAPTER, and its base here.")
    return base


def base_of(adapter: AdapterFacts) -> Path:
    """The base that an adapter was trained on, by its manifest or its configuration.

    Raises:
        ModelError: it is named nowhere, or not to be had under that name.
    """
    shipped = WEIGHTS / "chat"
    recorded = adapter.manifest.get("base_fingerprint")
    if recorded and (shipped / "config.json").is_file() and recorded == fingerprint(shipped):
        return shipped
    named = adapter.base or adapter.manifest.get("base")
    if not named:
        raise ModelError(f"{adapter.folder}: does not say which base it is for. Set GUIDE_CHAT_MODEL to it.")
    beside = adapter.folder.parent / Path(named).name
    if not Path(named).is_dir() and (beside / "config.json").is_file():
        return beside
    try:
        return locate(named, "base_model_name_or_path", revision=adapter.config.get("revision"))
    except ModelError as problem:
        raise ModelError(
            f"{adapter.folder}: its base {named} is not to be had here. Set GUIDE_CHAT_MODEL to its folder or id. "
            f"({problem})"
        ) from problem


def pick_device(wanted: str) -> torch.device:
    """CUDA, then MPS, then the CPU, unless one is asked for by name.

    Raises:
        ModelError: what is asked for isn't there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, available in there.items() if available))
    if not there.get(wanted):
        raise ModelError(f"GUIDE_DEVICE = {wanted}: torch finds none on this machine. Set it to auto or cpu.")
    return torch.device(wanted)


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """bfloat16 on CUDA, float16 on MPS, float32 on the CPU, unless another is asked for by name."""
    if wanted != "auto":
        return DTYPES[wanted]
    return {"cuda": torch.bfloat16, "mps": torch.float16}.get(device.type, torch.float32)


def load_base(
    folder: Path,
    device: torch.device,
    *,
    dtype: str = "auto",
    quantization: str = "none",
    trust_code: bool = False,
) -> PreTrainedModel:
    """A causal or an encoder-decoder language model from a folder, as `pick_dtype` says or quantised.

    Raises:
        ModelError: weights missing, damaged or not finite; a model that needs code from its folder.
    """
    tensor_shapes(weight_files(folder))
    config = base_config(folder, trust_code=trust_code)
    options = _quantised(quantization, device, pick_dtype(dtype, device))
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded: Any = model_class(config).from_pretrained(
            folder,
            dtype=pick_dtype(dtype, device),
            trust_remote_code=trust_code,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
    except Exception as problem:  # code of the model's own fails in its own ways
        raise ModelError(f"{folder}: can't be loaded as a chat model: {problem}") from problem
    model, report = loaded
    if report["missing_keys"]:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        raise ModelError(f"{folder}: the weights lack {missing}. Download or save the model again.")
    _check_finite(model, folder)
    if quantization == "none":
        model = model.to(device)
    return cast("PreTrainedModel", model.eval().requires_grad_(requires_grad=False))


def _quantised(quantization: str, device: torch.device, compute: torch.dtype) -> dict[str, Any]:
    if quantization == "none":
        return {}
    if find_spec("bitsandbytes") is None:
        raise ModelError(
            f"GUIDE_QUANTIZATION = {quantization} needs bitsandbytes. Install it with `pip install guide[quant]`."
        )
    chosen = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=quantization == "4bit",
        load_in_8bit=quantization == "8bit",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )
    return {"quantization_config": chosen, "device_map": {"": device}}


def attach(
    model: PreTrainedModel, adapters: Mapping[str, AdapterFacts], base: Path, *, trust_code: bool = False
) -> PreTrainedModel:
    """The base with the adapters on it by name; every warning of peft's is an error here.

    Raises:
        ModelError: one doesn't fit, changes nothing, or its weights aren't finite; or they can't be loaded together.
    """
    from peft import PeftModel

    _check_together(adapters)
    for adapter in adapters.values():
        if adapter.rows is not None and adapter.rows != embedding_rows(model):
            model.resize_token_embeddings(adapter.rows, mean_resizing=False)
        check_fit(adapter, base, trust_code=trust_code)
    adapted: Any = None
    for name, adapter in adapters.items():
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            # AdaLoRA's pattern names tensors, where peft looks for modules; it is followed all the same
            warnings.filterwarnings("ignore", message="The following rank_pattern keys", category=RuntimeWarning)
            try:
                if adapted is None:
                    adapted = PeftModel.from_pretrained(
                        model, str(adapter.folder), adapter_name=peft_name(name), is_trainable=False
                    )
                else:
                    adapted.load_adapter(str(adapter.folder), adapter_name=peft_name(name), is_trainable=False)
            except (UserWarning, ValueError, RuntimeError, TypeError) as problem:
                raise ModelError(f"{adapter.folder} can't be put on {base}: {problem}") from problem
        _check_finite(adapted, adapter.folder)
    adapted = adapted.eval().requires_grad_(requires_grad=False)
    _check_effect(adapted, adapters)
    return cast("PreTrainedModel", adapted)


def embedding_rows(model: PreTrainedModel) -> int:
    """How many token ids the model knows."""
    return int(cast("torch.nn.Embedding", model.get_input_embeddings()).num_embeddings)


def _check_together(adapters: Mapping[str, AdapterFacts]) -> None:
    if len(adapters) < 2:
        return
    for name, adapter in adapters.items():
        if why := adapter.changes_base:
            raise ModelError(f"Adapter {name} can't be loaded beside others: {why}. Load it alone.")


@torch.inference_mode()
def _check_effect(model: Any, adapters: Mapping[str, AdapterFacts]) -> None:
    """An adapter that is loaded but changes nothing was never trained, or sits where the model doesn't look."""
    ids = torch.arange(4, device=model.device).unsqueeze(0)
    more = {"decoder_input_ids": ids} if getattr(model.config, "is_encoder_decoder", False) else {}
    switch = Adapters(model, adapters)

    def logits(name: str | None) -> torch.Tensor:
        with switch.at_work([name]) as adapting:
            return cast("torch.Tensor", model(input_ids=ids, use_cache=False, **more, **adapting).logits)

    plain = logits(None)
    for name, adapter in adapters.items():
        with_it = logits(name)
        if adapter.changes_base is None and with_it.shape == plain.shape and torch.equal(with_it, plain):
            raise ModelError(f"{adapter.folder}: changes nothing that the model writes. Train it, or leave it out.")


def _check_finite(model: torch.nn.Module, folder: Path) -> None:
    for name, tensor in model.named_parameters():
        if tensor.is_meta:
            raise ModelError(f"{folder}: {name} was not loaded. Download or save the model again.")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{folder}: {name} holds NaN or infinity. Train or download it again.")
