"""Differentiable search: train a supernet and a policy, then pick the best network within the limit.

Weights alone first, then alternating between weights and policy on separate halves of the training images, as
SqueezeNAS does (FBNet, section 4.1, splits 80 to 20). The policy's loss is cross entropy plus the expected cost above
the limit, from the table. At last networks are drawn from the policy within the limit and scored with the weights they
inherit.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from devices import NoAnswer, WrongUse
from search.checkpoint import (
    load_own_checkpoint,
    module_tensors,
    optimizer_tensors,
    restore_module,
    restore_optimizer,
    save_checkpoint,
)
from search.compute_device import training_device
from search.data import Batches, LabelledImages, Labels, Picture
from search.distillation import cross_entropy
from search.evaluators.from_scratch import refuse_unfit
from search.evaluators.inherited_weights import InheritedWeights
from search.exact_finish import ExactFinish
from search.loop import Tell as TellTrials
from search.loop import best, run
from search.losses import policy_loss
from search.mixing import Thrift
from search.objective import Objective
from search.path_modes import mixtures, path_mode
from search.recipe import SearchRecipe
from search.standing import Standing
from search.strategies import Trial
from search.supernet import Policy, Supernet, uniform_paths
from search.training import CHECKPOINT_EVERY_S, LOOK_EVERY, is_finite, scoring_batches

Tell = Callable[[str, int, int, str], None]
"""Told as it goes: stage, steps done, steps in all, and what is known by now, in words."""

_WEIGHTS, _POLICY = 0, 1
"""Which half of the training images, and which stream of random numbers."""

_READ_AHEAD = 2
"""Threads for each half that make batches while a GPU computes; on the CPU they would only be in its way."""


@final
class Half(LabelledImages):
    """Every other image of a set, beginning with the first or the second."""

    def __init__(self, images: LabelledImages, first: int) -> None:
        self.name = f"{images.name}, every other image"
        self.classes, self.palette, self.size = images.classes, images.palette, images.size
        self.has_one_class_each = images.has_one_class_each
        self._images = images
        self._indices = range(first, len(images), 2)

    def __len__(self) -> int:
        """How many images this half has."""
        return len(self._indices)

    def read(self, index: int) -> tuple[Picture, Labels]:
        """Image and labels, as the whole set reads them."""
        return self._images.read(self._indices[index])


@final
class DifferentiableSearch:
    """One search on one objective, resumable from its checkpoint.

    Args:
        objective: what is limited; its costs enter the loss.
        limit: in the objective's unit.
        train: images whose halves train weights and policy.
        validation: images that candidates are scored on.
        recipe: lengths and rates.
        seed: of everything that is drawn.
        checkpoint: file to go on from and to write; the history of candidates is written beside it.
        warm_up: file to keep the supernet in after its warm-up, or to begin from. Objective and limit have no part in a
            warm-up, so that searches that differ in nothing else can share one.
        device: where the supernet is trained: ``auto`` (the GPU where there is one), ``cpu`` or ``cuda``. The policy
            stays on the CPU, where its draws decide what is computed: random numbers are the same on any device, and
            no unit waits for a GPU's. A checkpoint goes on on any device, to the bit on the CPU alone.

    Raises:
        NoAnswer: no network is within the limit; later, the search diverged.
        NotAvailable: there is no such device here.
        WrongUse: there are fewer than two training images.
    """

    def __init__(
        self,
        objective: Objective,
        limit: float,
        train: LabelledImages,
        validation: LabelledImages,
        recipe: SearchRecipe,
        seed: int,
        checkpoint: Path,
        warm_up: Path | None = None,
        device: str = "cpu",
    ) -> None:
        self._device = training_device(device)
        objective.refuse_impossible(limit)
        if len(train) < 2:
            raise WrongUse(f"A search needs at least 2 training images, one for each half; got {len(train)}.")
        refuse_unfit(objective.space, train)
        self._objective, self._limit, self._recipe, self._seed = objective, limit, recipe, seed
        self._loss = policy_loss(recipe, objective.name, limit)
        self._paths = path_mode(recipe.paths)
        self._mixtures = mixtures(self._paths, recipe.draws, recipe.batch_size)
        self._thrift = Thrift(recipe.checkpointing, recipe.channels_last, recipe.bf16)
        self._checkpoint, self._warm_up = checkpoint, warm_up
        self._score_batches = scoring_batches(validation)
        self._history = checkpoint.with_suffix(".trials.jsonl")
        workers = 0 if self._device == "cpu" else _READ_AHEAD
        self._batches = [
            Batches(Half(train, half), recipe.batch_size, seed=seed, augment=half == _WEIGHTS, workers=workers)
            for half in (_WEIGHTS, _POLICY)
        ]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._supernet = Supernet(objective.space).to(self._device)
        self._thrift.prepare(self._supernet)
        self._policy = Policy(torch.from_numpy(objective.costs), objective.fixed)
        self._weights_optimizer = torch.optim.SGD(
            self._supernet.parameters(), recipe.weights_rate, momentum=0.9, weight_decay=recipe.weight_decay
        )
        self._policy_optimizer = torch.optim.Adam(self._policy.parameters(), recipe.policy_rate, betas=(0.5, 0.999))

    def trained(self, tell: Tell = lambda stage, done, steps, words: None) -> InheritedWeights:
        """Train, and score networks with what they inherit; for searches that choose networks in their own way.

        With no alternating steps in the recipe all networks were trained alike (single paths, drawn uniformly).
        """
        self._train(tell)
        origin = self._identity()
        return InheritedWeights(
            self._supernet, self._batches[_WEIGHTS], self._score_batches, self._recipe.recalibration_batches, origin
        )

    def search(
        self,
        tell: Tell = lambda stage, done, steps, words: None,
        watch: TellTrials = lambda trials: None,
    ) -> tuple[Trial, list[Trial]]:
        """Train, draw, score.

        Args:
            tell: progress.
            watch: called with all networks that were scored so far, after each.

        Returns:
            The best network within the limit, and all that were scored.
        """
        evaluator = self.trained(tell)
        policy = self._policy.probabilities().detach().double().numpy()
        policy /= policy.sum(axis=1, keepdims=True)
        objective, limit = self._objective, self._limit
        least = self._recipe.least_cost * limit
        strategy = ExactFinish(policy, objective.costs, limit, self._seed, objective.fixed, least)

        def told(trials: Sequence[Trial]) -> None:
            words = Standing.of(trials).words(self._objective, evaluator.words)
            tell("candidates", len(trials), self._recipe.candidates, words)
            watch(trials)

        trials = run(strategy, evaluator.score, objective, limit, self._recipe.candidates, self._history, tell=told)
        return best(trials, objective, limit), trials

    def _train(self, tell: Tell) -> None:
        recipe = self._recipe
        steps = recipe.warm_up_steps + recipe.alternating_steps
        first = self._resume()
        alternating = max(0, first - recipe.warm_up_steps)
        pictures = self._batches[_WEIGHTS].take(steps, first_step=first)
        held_out = self._batches[_POLICY].take(recipe.alternating_steps, first_step=alternating)
        saved_at = time.monotonic()
        with closing(pictures), closing(held_out):  # No thread reads on for a search that was interrupted.
            for step, batch in enumerate(pictures, first):
                self._weights_step(batch, step, steps)
                if step >= recipe.warm_up_steps:
                    self._policy_step(next(held_out), step)
                expected = self._objective.format(self._policy.expected_cost().item())
                tell("supernet", step + 1, steps, f"expected {expected}, limit {self._objective.format(self._limit)}")
                if step + 1 == recipe.warm_up_steps and self._warm_up is not None:
                    self._refuse_diverged(step + 1)
                    save_checkpoint(self._warm_up, self._weights(), {**self._warm_up_identity(), "step": step + 1})
                if step + 1 == steps or (step + 1) % LOOK_EVERY == 0:
                    self._refuse_diverged(step + 1)
                if step + 1 == steps or time.monotonic() - saved_at > CHECKPOINT_EVERY_S:
                    self._save(step + 1)
                    saved_at = time.monotonic()
        if not self._checkpoint.exists():
            self._save(steps)  # There was no step to take; the scores that follow need a supernet to belong to.

    def _weights_step(self, batch: tuple[Tensor, Tensor], step: int, steps: int) -> None:
        """One step on the weights: of a network drawn uniformly at first, of one drawn from the policy later."""
        pictures, labels = (each.to(self._device) for each in batch)
        generator = self._generator(_WEIGHTS, step)
        if step < self._recipe.warm_up_steps:
            mixture = uniform_paths(self._policy, generator)
        else:
            mixture = self._paths.weights_mixture(self._policy, self._temperature(step), generator, self._mixtures)
        cosine = (1 + torch.cos(torch.tensor(torch.pi * step / steps))) / 2
        self._weights_optimizer.param_groups[0]["lr"] = self._recipe.weights_rate * float(cosine)
        cross_entropy(self._thrift.scores(self._supernet, pictures, mixture), labels).backward()
        self._weights_optimizer.step()
        self._weights_optimizer.zero_grad(set_to_none=True)  # A step on the policy needs their memory.

    def _policy_step(self, batch: tuple[Tensor, Tensor], step: int) -> None:
        """One step on the logits, on cross entropy and expected cost."""
        pictures, labels = (each.to(self._device) for each in batch)
        generator, logits = self._generator(_POLICY, step), self._policy.logits
        paths = self._paths.policy_paths(self._policy, self._temperature(step), generator, self._mixtures)
        scores = self._thrift.scores(self._supernet, pictures, paths.mixture, paths.left_out)
        loss = self._loss(cross_entropy(scores, labels), paths.expected_cost.to(self._device))
        before = logits.detach().clone()
        logits.grad = torch.autograd.grad(loss, logits)[0]
        self._policy_optimizer.step()
        self._paths.settle(self._policy, before, paths)

    def _temperature(self, step: int) -> float:
        """Of the Gumbel-Softmax: falls exponentially over the alternating steps."""
        recipe = self._recipe
        share = (step - recipe.warm_up_steps) / max(1, recipe.alternating_steps - 1)
        return float(recipe.first_temperature * (recipe.last_temperature / recipe.first_temperature) ** share)

    def _generator(self, stream: int, step: int) -> torch.Generator:
        """Random numbers that depend on the step alone, so that a resumed search draws what it would have drawn."""
        words = torch.tensor([self._seed, stream, step])
        return torch.Generator().manual_seed(int((words * torch.tensor([1_000_003, 500_009, 1])).sum()))

    def _identity(self) -> dict[str, object]:
        space = self._objective.space
        sets = [batches.images for batches in (*self._batches, self._score_batches)]
        costs = np.append(self._objective.costs, self._objective.fixed)
        recipe = asdict(self._recipe)
        # More candidates, or others, can be asked for later; and a search that ran out of memory goes on with less.
        for name in ("candidates", "least_cost", "checkpointing"):
            del recipe[name]
        for name in ("paths", "draws", "channels_last", "bf16"):
            if recipe[name] in (getattr(SearchRecipe, name), "soft"):
                del recipe[name]  # Checkpoints from before have none of them, and say ``soft`` in place of one.
        recipe["soft"] = self._recipe.paths == "soft"
        if self._recipe.loss == SearchRecipe.loss:
            for name in ("loss", "alpha", "beta"):  # Without a part in it; and checkpoints from before have none.
                del recipe[name]
        return {
            "space": space.name,
            "input_size": list(space.input_size),
            "classes": space.classes,
            "objective": self._objective.name,
            "costs": hashlib.sha256(costs.tobytes()).hexdigest()[:16],
            "limit": self._limit,
            "seed": self._seed,
            "images": [[images.name, len(images)] for images in sets],
            **recipe,
        }

    def _warm_up_identity(self) -> dict[str, object]:
        own = {"objective", "costs", "limit"}
        barred = self._policy.barred.isinf().flatten().tolist()
        return {**{name: value for name, value in self._identity().items() if name not in own}, "barred": barred}

    def _weights(self) -> dict[str, Tensor]:
        return {
            **module_tensors("supernet", self._supernet),
            **optimizer_tensors("weights_optimizer", self._weights_optimizer),
        }

    def _is_finite(self) -> bool:
        return is_finite(self._supernet) and bool(self._policy.logits.isfinite().all())

    def _refuse_diverged(self, step: int) -> None:
        if not self._is_finite():
            raise NoAnswer(
                f"The search diverged: after {step} steps its weights are not finite. Lower weights_rate in [search], "
                f"and move {self._checkpoint} away if it is there."
            )

    def _save(self, step: int) -> None:
        """Write the checkpoint; not with weights that are no numbers, which the next look will find."""
        if not self._is_finite():
            return
        tensors = {
            **self._weights(),
            **module_tensors("policy", self._policy),
            **optimizer_tensors("policy_optimizer", self._policy_optimizer),
        }
        save_checkpoint(self._checkpoint, tensors, {**self._identity(), "step": step})

    def _resume(self) -> int:
        """Restore the search, or the warm-up that it may begin from; returns the step to go on from."""
        if self._checkpoint.exists():
            tensors, step = load_own_checkpoint(self._checkpoint, self._identity(), "search")
            restore_module("policy", self._policy, tensors)
            restore_optimizer("policy_optimizer", self._policy_optimizer, tensors)
        else:
            self._refuse_scores()
            if self._warm_up is None or not self._warm_up.exists():
                return 0
            tensors, step = load_own_checkpoint(self._warm_up, self._warm_up_identity(), "search")
        restore_module("supernet", self._supernet, tensors)
        restore_optimizer("weights_optimizer", self._weights_optimizer, tensors)
        return step

    def _refuse_scores(self) -> None:
        """Without a checkpoint the supernet is trained anew, and scores of another one must not be taken for its."""
        if self._history.exists():
            raise WrongUse(
                f"{self._history} holds scores of another search, whose checkpoint is gone. "
                "Move it away to begin anew, or choose another --out."
            )
