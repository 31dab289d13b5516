"""The forward passes of a chat model: answers written in one batch, and how likely a text is after a prompt."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LogitsProcessorList, PreTrainedModel

from kb.errors import ModelError
from models.sampling import RowSampler
from models.stream import Request, Writing
from models.switching import Adapters
from models.threads import few_threads


class Passes:
    """What a model computes, with `adapters` on it; `stops` are the tokens that end an answer.

    Only one thread may be in here at a time.
    """

    def __init__(self, model: PreTrainedModel, adapters: Adapters, stops: Sequence[int], pad: int) -> None:
        self.model, self.adapters, self.stops, self.pad = model, adapters, list(stops), pad
        self.encodes = bool(getattr(model.config, "is_encoder_decoder", False))

    def write(self, batch: Sequence[Request], give_way: Callable[[], bool] = lambda: False) -> None:
        """Writes every request's answer into its stream, or the error that kept it from being written.

        `give_way` is asked after every step: when it says so, the answers are left unfinished, and a later call goes on
        with them from prompt and tokens so far.
        """
        for rows in self.adapters.groups([request.adapter for request in batch]):
            group = [batch[row] for row in rows]
            try:
                self._write_group(group, give_way)
            except Exception as problem:  # noqa: BLE001 - whatever it was, every caller must hear of it
                error = ModelError(f"The model failed while answering: {problem}")
                error.__cause__ = problem
                for request in group:
                    if not request.done:
                        request.fail(error)

    def one_group(self, batch: Sequence[Request]) -> bool:
        """Whether requests can be written in the same forward passes, also when some of them were begun before."""
        return not self.encodes and len(self.adapters.groups([request.adapter for request in batch])) == 1

    def _write_group(self, group: Sequence[Request], give_way: Callable[[], bool]) -> None:
        ids, mask = self._padded([request.prompt + request.written for request in group])
        with (
            torch.inference_mode(),
            few_threads(self.model),
            self.adapters.at_work([request.adapter for request in group]) as adapting,
        ):
            cast("Any", self.model).generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max(request.max_new_tokens - len(request.written) for request in group),
                do_sample=False,
                logits_processor=LogitsProcessorList([RowSampler(group)]),
                stopping_criteria=[Writing(group, self.stops, give_way)],
                **adapting,
            )

    def continuation_nats(
        self, prompts: Sequence[list[int]], target: list[int], adapters: Sequence[str | None]
    ) -> NDArray[np.float64]:
        """Log P(target | prompt) in nats for each of n prompts."""
        nats = np.zeros(len(prompts))
        for rows in self.adapters.groups(adapters):
            names = [adapters[row] for row in rows]
            with torch.inference_mode(), few_threads(self.model), self.adapters.at_work(names) as adapting:
                score = self._encoded_logits if self.encodes else self._continued_logits
                logits = score([prompts[row] for row in rows], target, names, adapting)  # [n, target, vocabulary]
                chosen = torch.tensor(target, device=logits.device).expand(len(rows), -1).unsqueeze(-1)
                logs = torch.log_softmax(logits.float(), dim=-1).gather(-1, chosen)
                nats[rows] = logs.sum(dim=(1, 2)).double().cpu().numpy()
        return nats

    def _continued_logits(
        self, prompts: Sequence[list[int]], target: list[int], names: Sequence[str | None], adapting: dict[str, Any]
    ) -> torch.Tensor:
        ids, mask = self._padded([prompt + target for prompt in prompts])  # [n, tokens]
        if self.adapters.takes_positions(names):
            adapting = adapting | {"position_ids": (mask.cumsum(-1) - 1).clamp(min=0)}
        output = self.model(
            input_ids=ids, attention_mask=mask, logits_to_keep=len(target) + 1, use_cache=False, **adapting
        )
        return cast("torch.Tensor", output.logits[:, -len(target) - 1 : -1])

    def _encoded_logits(
        self, prompts: Sequence[list[int]], target: list[int], names: Sequence[str | None], adapting: dict[str, Any]
    ) -> torch.Tensor:
        del names
        ids, mask = self._padded(prompts)
        start = self.model.config.decoder_start_token_id
        begun = torch.tensor([[start, *target[:-1]]], device=ids.device).expand(len(prompts), -1)
        output = self.model(input_ids=ids, attention_mask=mask, decoder_input_ids=begun, use_cache=False, **adapting)
        return cast("torch.Tensor", output.logits)

    def _padded(self, rows: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and attention mask, both [n, longest], on the model's device.

        Filled on the left, so that every row goes on at its end; on the right for encoders, which count from there.
        """
        width = max(len(row) for row in rows)
        ids = [self._filled(row, self.pad, width) for row in rows]
        mask = [self._filled([1] * len(row), 0, width) for row in rows]
        return torch.tensor(ids, device=self.model.device), torch.tensor(mask, device=self.model.device)

    def _filled(self, row: list[int], fill: int, width: int) -> list[int]:
        filling = [fill] * (width - len(row))
        return row + filling if self.encodes else filling + row
