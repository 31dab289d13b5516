"""The ways of tuning a model that the guide compares, each as peft has it or as its paper describes it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from transformers.pytorch_utils import Conv1D

from kb.errors import InputError

MethodName = Literal[
    "lora",
    "dora",
    "rslora",
    "adalora",
    "ia3",
    "prompt",
    "prefix",
    "p-tuning",
    "p-tuning-v2",
    "qlora",
    "bitfit",
    "full",
]
Task = Literal["CAUSAL_LM", "SEQ_2_SEQ_LM"]
METHOD_NAMES: tuple[str, ...] = get_args(MethodName)
VIRTUAL_TOKENS = 16


@dataclass(frozen=True)
class Shape:
    """What the methods take: LoRA's rank, scaling and dropout, for how many steps AdaLoRA will run, and peft's task.

    `targets` are the layers that LoRA adapts, by name; those that the model lacks are left out, and if it has none of
    them, all linear ones are adapted.
    """

    rank: int
    alpha: int
    dropout: float
    steps: int
    task: Task = "CAUSAL_LM"
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Method:
    """A way of tuning.

    `called` is its name in the guide's table of methods; `rate` the learning rate to begin with; `config` makes peft's
    configuration, None where every weight is trained.
    """

    name: MethodName
    called: str
    paper: str
    rate: float
    config: Callable[[Shape, dict[str, Any]], Any] | None


def _lora(shape: Shape, more: dict[str, Any]) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        task_type=shape.task,
        r=shape.rank,
        lora_alpha=shape.alpha,
        lora_dropout=shape.dropout,
        target_modules=list(shape.targets) or "all-linear",
        **more,
    )


def _dora(shape: Shape, more: dict[str, Any]) -> Any:
    return _lora(shape, more | {"use_dora": True})


def _rslora(shape: Shape, more: dict[str, Any]) -> Any:
    return _lora(shape, more | {"use_rslora": True})


def _bitfit(shape: Shape, more: dict[str, Any]) -> Any:
    """Peft has no BitFit: a LoRA of rank 1 that stays at zero carries the biases, so that peft saves and loads them."""
    return _lora(replace(shape, rank=1, alpha=1, dropout=0.0), more | {"bias": "all"})


def _adalora(shape: Shape, more: dict[str, Any]) -> Any:
    from peft import AdaLoraConfig

    return AdaLoraConfig(
        task_type=shape.task,
        init_r=shape.rank + shape.rank // 2,
        target_r=shape.rank,
        lora_alpha=shape.alpha,
        lora_dropout=shape.dropout,
        total_step=max(shape.steps, 10),
        tinit=max(shape.steps, 10) // 5,
        tfinal=max(shape.steps, 10) // 4,
        target_modules=list(shape.targets) or "all-linear",
        **more,
    )


def _ia3(shape: Shape, more: dict[str, Any]) -> Any:
    from peft import IA3Config

    return IA3Config(task_type=shape.task, **more)  # keys, values and the feed-forward layer, as peft knows them


def _prompt(shape: Shape, more: dict[str, Any]) -> Any:
    from peft import PromptTuningConfig

    del more
    return PromptTuningConfig(task_type=shape.task, num_virtual_tokens=VIRTUAL_TOKENS)


def _prefix(*, projected: bool) -> Callable[[Shape, dict[str, Any]], Any]:
    def config(shape: Shape, more: dict[str, Any]) -> Any:
        from peft import PrefixTuningConfig

        del more
        return PrefixTuningConfig(task_type=shape.task, num_virtual_tokens=VIRTUAL_TOKENS, prefix_projection=projected)

    return config


def _p_tuning(shape: Shape, more: dict[str, Any]) -> Any:
    from peft import PromptEncoderConfig

    del more
    return PromptEncoderConfig(task_type=shape.task, num_virtual_tokens=VIRTUAL_TOKENS, encoder_hidden_size=128)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("lora", "LoRA", "Hu et al. 2021, arXiv:2106.09685", 2e-3, _lora),
        Method("dora", "DoRA", "Liu et al. 2024, arXiv:2402.09353", 2e-3, _dora),
        Method("rslora", "rsLoRA", "Kalajdzievski 2023, arXiv:2312.03732", 1e-3, _rslora),
        Method("adalora", "AdaLoRA", "Zhang et al. 2023, arXiv:2303.10512", 3e-3, _adalora),
        Method("ia3", "IA3", "Liu et al. 2022, arXiv:2205.05638", 1e-2, _ia3),
        Method("prompt", "Prompt Tuning", "Lester et al. 2021, arXiv:2104.08691", 3e-2, _prompt),
        Method("prefix", "Prefix Tuning", "Li and Liang 2021, arXiv:2101.00190", 2e-3, _prefix(projected=True)),
        Method("p-tuning", "P-Tuning", "Liu et al. 2021, arXiv:2103.10385", 5e-3, _p_tuning),
        Method("p-tuning-v2", "P-Tuning v2", "Liu et al. 2021, arXiv:2110.07602", 2e-2, _prefix(projected=False)),
        Method("qlora", "QLoRA", "Dettmers et al. 2023, arXiv:2305.14314", 2e-3, _lora),
        Method("bitfit", "BitFit", "Ben Zaken et al. 2021, arXiv:2106.10199", 3e-3, _bitfit),
        Method("full", "Full Fine-tuning", "", 5e-4, None),
    )
}


def put_on(model: Any, method: Method, shape: Shape) -> Any:
    """The model with what the method trains, and nothing else, trainable.

    Raises:
        InputError: the method doesn't suit the model's architecture.
    """
    from peft import get_peft_model, prepare_model_for_kbit_training

    if method.config is None:
        return model.requires_grad_(requires_grad=True)
    if getattr(model, "is_quantized", False):
        _keep_trainable(model)
        prepare: Any = prepare_model_for_kbit_training
        model = prepare(model, use_gradient_checkpointing=model.device.type == "cuda")
    if method.name == "bitfit" and not any(name.endswith("bias") for name, _ in model.named_parameters()):
        raise InputError("BitFit trains biases, and this model has none. Choose another --method, such as lora.")
    if shape.task == "SEQ_2_SEQ_LM" and method.name in ("prompt", "p-tuning"):
        raise InputError(
            f"The method {method.name} does not suit an encoder-decoder: peft can't stream what it writes. "
            "Choose another --method, such as lora."
        )
    there = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    shape = replace(shape, targets=tuple(name for name in shape.targets if name in there))
    transposed = any(isinstance(module, Conv1D) for module in model.modules())
    try:
        adapted = get_peft_model(model, method.config(shape, {"fan_in_fan_out": True} if transposed else {}))
    except (ValueError, TypeError, KeyError) as problem:
        raise InputError(f"The method {method.name} does not suit this model: {problem}") from problem
    if method.name == "bitfit":
        for name, parameter in adapted.named_parameters():
            parameter.requires_grad_(requires_grad=name.endswith("bias"))
    return adapted


def _keep_trainable(model: Any) -> None:
    """On some CPUs bitsandbytes packs 4-bit weights when first evaluated, and no gradient passes after that."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def after_step(model: Any, method: Method, step: int) -> None:
    """What a method does after each step: AdaLoRA moves its rank to where the gradients want it."""
    if method.name == "adalora":
        model.base_model.update_and_allocate(step)


def state_megabytes(model: Any, optimiser: torch.optim.Optimizer) -> float:
    """Weights, gradients and the optimiser's moments, by the bytes of the tensors that are there."""
    held = [*model.parameters(), *model.buffers()]
    held += [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    held += [value for state in optimiser.state.values() for value in state.values() if isinstance(value, torch.Tensor)]
    freed = [p for p in model.parameters() if p.requires_grad and p.grad is None]  # gradients between two steps
    return float(sum(tensor.numel() * tensor.element_size() for tensor in [*held, *freed])) / 2**20
